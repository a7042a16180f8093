/**
 * A decoder block and its gradients, by hand: the same arithmetic as `block` in transformer.ts, which is the definition.
 * Forward keeps the tensors that are dear to compute again. The gated product and the norms of heads are computed again in
 * backward; of the other norms the inverse rms is kept, which with their input is all that gradients need. Backward frees each
 * tensor as soon as it has been used. Axis letters as in tensor/ops.ts, N = B T rows.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { dispose, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { layerName, type Weights } from "../weights.ts";

/** Takes over a gradient of the parameter of that name. */
export type OnGradient = (name: string, gradient: HeapBuffer) => void;

/**
 * What goes into a block: row n of x [N, C] is rows[index[n]], or rows [N, C] are x itself where index is null. The first
 * block sees each token of a batch many times: up to attention, what it computes is computed once for each of U tokens.
 */
export interface BlockInput {
  /** [U, C] */
  rows: HeapBuffer;
  /** int32 [N], owned by the caller */
  index: HeapBuffer | null;
}

/** What backward needs of a block's forward pass. */
export interface Activations {
  input: BlockInput;
  /** [U], the inverse rms of the input's rows */
  inputInverse: HeapBuffer;
  /** [N, H D], before norm and rotation */
  q: HeapBuffer;
  /** [N, K D], before norm and rotation */
  k: HeapBuffer;
  /** [N, K D] */
  v: HeapBuffer;
  /** [N, H D], what attention gave */
  mixed: HeapBuffer;
  /** [N, H, 2], what its gradient needs of the scores */
  statistics: HeapBuffer;
  /** [N, C], x plus attention */
  attended: HeapBuffer;
  /** [N], its inverse rms */
  attendedInverse: HeapBuffer;
  /** [N, F] */
  gate: HeapBuffer;
  /** [N, F] */
  up: HeapBuffer;
}

export interface Block {
  /** -> y [N, C]; takes the input's rows over when activations are kept, else leaves them alone. */
  forward(input: BlockInput, batch: number, keep: true): { y: HeapBuffer; kept: Activations };
  forward(input: BlockInput, batch: number, keep: false): { y: HeapBuffer; kept: null };
  /** Frees what was kept and dy [N, C] -> the gradient of the input's rows [U, C] */
  backward(kept: Activations, batch: number, dy: HeapBuffer, add: OnGradient): HeapBuffer;
}

/** The block of a layer. Throws when a parameter is missing. */
export function blockOf(weights: Weights, config: ModelConfig, layer: number): Block {
  const { normEpsilon, ropeTheta } = config;
  const nameOf = (part: string) => layerName(layer, part);
  const weight = (part: string): tf.Tensor => {
    const tensor = weights[nameOf(part)];
    if (tensor === undefined) throw new Error(`block: expected a weight named ${nameOf(part)}, found none`);
    return tensor;
  };

  const norm = (x: HeapBuffer, part: string) => op.norm(x, weight(part), normEpsilon);
  /** What attention is told beside its operands. */
  const attention = (batch: number) => ({ batch, epsilon: normEpsilon, theta: ropeTheta });
  const headWeights = () => ({ qWeight: weight("self_attn.q_norm"), kWeight: weight("self_attn.k_norm") });

  function forward(input: BlockInput, batch: number, keep: boolean): { y: HeapBuffer; kept: Activations | null } {
    const { rows, index } = input;
    const { normed: inner, inverse: inputInverse } = norm(rows, "input_layernorm");
    const projections = op.fusedLinear(inner, [weight("self_attn.q_proj"), weight("self_attn.k_proj"), weight("self_attn.v_proj")]);
    inner.dispose();
    const [q, k, v] = projections.map((projection) => gatherRows(projection, index)) as [HeapBuffer, HeapBuffer, HeapBuffer];
    const { mixed, statistics } = op.attend({ q, k, v, ...headWeights() }, attention(batch));
    if (!keep) dispose(q, k, v);
    const x = gatherRows(rows.view(rows.shape), index);
    const attended = op.linearAdd(x, mixed, weight("self_attn.o_proj")); // [N, C]
    x.dispose();
    if (!keep) dispose(mixed, statistics);
    const { normed: normal, inverse: attendedInverse } = norm(attended, "post_attention_layernorm");
    const [gate, up] = op.fusedLinear(normal, [weight("mlp.gate_proj"), weight("mlp.up_proj")]); // [N, F]
    normal.dispose();
    const hidden = op.gated(gate, up);
    if (!keep) dispose(gate, up);
    const y = op.linearAdd(attended, hidden, weight("mlp.down_proj")); // [N, C]
    hidden.dispose();
    if (keep) return { y, kept: { input, inputInverse, q, k, v, mixed, statistics, attended, attendedInverse, gate, up } };
    dispose(inputInverse, attended, attendedInverse);
    return { y, kept: null };
  }

  /** dy [N, C] becomes the gradient of `attended`. */
  function backwardMlp({ attended, attendedInverse, gate, up }: Activations, dy: HeapBuffer, add: OnGradient): void {
    // The gradient of the gated product, which then becomes that product itself.
    const hidden = op.linearInputGrad(dy, weight("mlp.down_proj"));
    op.gatedBack(gate, up, hidden);
    add(nameOf("mlp.down_proj"), op.linearWeightGrad(dy, hidden));
    hidden.dispose();
    const scale = weight("post_attention_layernorm");
    const [dgate, dup] = op.fusedWeightGrads([gate, up], attended, scale, attendedInverse);
    add(nameOf("mlp.gate_proj"), dgate);
    add(nameOf("mlp.up_proj"), dup);
    const dinner = op.linearInputGrad(gate, weight("mlp.gate_proj"));
    gate.dispose();
    op.linearInputGradAccumulate(dinner, up, weight("mlp.up_proj"));
    up.dispose();
    add(nameOf("post_attention_layernorm"), op.normBackInto(dy, attended, scale, attendedInverse, dinner));
    attended.dispose();
  }

  /** dy [N, C], the gradient of `attended`, is gone -> that of the input's rows [U, C] */
  function backwardAttention(
    { input, inputInverse, q, k, v, mixed, statistics }: Activations,
    batch: number,
    dy: HeapBuffer,
    add: OnGradient,
  ): HeapBuffer {
    const { rows, index } = input;
    const count = rows.shape[0]!;
    add(nameOf("self_attn.o_proj"), op.linearWeightGrad(dy, mixed));
    const dmixed = op.linearInputGrad(dy, weight("self_attn.o_proj"));
    // Queries, keys and values are their gradients from here on.
    const operands = { q, k, v, ...headWeights(), out: mixed, statistics, dy: dmixed };
    const { dqWeight, dkWeight } = op.attendBack(operands, attention(batch));
    add(nameOf("self_attn.q_norm"), dqWeight);
    add(nameOf("self_attn.k_norm"), dkWeight);
    dispose(mixed, statistics, dmixed);
    const dq = scatterAddRows(q, index, count);
    const dk = scatterAddRows(k, index, count);
    const dv = scatterAddRows(v, index, count);
    const scale = weight("input_layernorm");
    const [dqProjection, dkProjection, dvProjection] = op.fusedWeightGrads([dq, dk, dv], rows, scale, inputInverse);
    add(nameOf("self_attn.q_proj"), dqProjection);
    add(nameOf("self_attn.k_proj"), dkProjection);
    add(nameOf("self_attn.v_proj"), dvProjection);
    const dinner = op.linearInputGrad(dq, weight("self_attn.q_proj"));
    op.linearInputGradAccumulate(dinner, dk, weight("self_attn.k_proj"));
    op.linearInputGradAccumulate(dinner, dv, weight("self_attn.v_proj"));
    dispose(dq, dk, dv);
    const dx = scatterAddRows(dy, index, count);
    add(nameOf("input_layernorm"), op.normBackInto(dx, rows, scale, inputInverse, dinner));
    rows.dispose();
    return dx;
  }

  return {
    forward: forward as Block["forward"],
    backward(kept, batch, dy, add) {
      backwardMlp(kept, dy, add);
      return backwardAttention(kept, batch, dy, add);
    },
  };
}

/** x [U, W] is gone -> its rows at index [N, W], or x itself where index is null */
function gatherRows(x: HeapBuffer, index: HeapBuffer | null): HeapBuffer {
  if (index === null) return x;
  const rows = op.gatherRows(x, index);
  x.dispose();
  return rows;
}

/** dy [N, W], the gradient of `gatherRows`, is gone -> that of x [U, W] */
function scatterAddRows(dy: HeapBuffer, index: HeapBuffer | null, count: number): HeapBuffer {
  if (index === null) return dy;
  const sums = op.scatterAddRows(dy, index, count);
  dy.dispose();
  return sums;
}
