/**
 * A decoder block and its gradients, by hand: the same arithmetic as `block` in transformer.ts, which is the definition.
 * Forward keeps the tensors that are dear to compute again. The gated product and the norms of heads are computed again in
 * backward; of the other norms the inverse rms is kept, which with their input is all that gradients need. Backward frees each
 * tensor as soon as it has been used. Axis letters as in tensor/ops.ts, N = B T rows.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { dispose, type HeapArray } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { layerName, type Weights } from "../weights.ts";

/** Takes over a gradient of the parameter of that name. */
export type AddGradient = (name: string, gradient: HeapArray) => void;

/**
 * What goes into a block: row n of x [N, C] is rows[index[n]], or rows [N, C] are x itself where index is null. The first
 * block sees each token of a batch many times: up to attention, what it computes is computed once for each of U tokens.
 */
export interface BlockInput {
  /** [U, C] */
  rows: HeapArray;
  /** int32 [N], owned by the caller */
  index: HeapArray | null;
}

/** What backward needs of a block's forward pass. */
export interface Activations {
  input: BlockInput;
  /** [U], the inverse rms of the input's rows */
  inputInverse: HeapArray;
  /** [N, H D], before norm and rotation */
  q: HeapArray;
  /** [N, K D], before norm and rotation */
  k: HeapArray;
  /** [N, K D] */
  v: HeapArray;
  /** [N, H D], what attention gave */
  mixed: HeapArray;
  /** [N, H, 2], what its gradient needs of the scores */
  statistics: HeapArray;
  /** [N, C], x plus attention */
  attended: HeapArray;
  /** [N], its inverse rms */
  attendedInverse: HeapArray;
  /** [N, F] */
  gate: HeapArray;
  /** [N, F] */
  up: HeapArray;
}

export interface Block {
  /** -> y [N, C]; takes the input's rows over when activations are kept, else leaves them alone. */
  forward(input: BlockInput, batch: number, keep: true): { y: HeapArray; kept: Activations };
  forward(input: BlockInput, batch: number, keep: false): { y: HeapArray; kept: null };
  /** Frees what was kept and dy [N, C] -> the gradient of the input's rows [U, C] */
  backward(kept: Activations, batch: number, dy: HeapArray, add: AddGradient): HeapArray;
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

  const norm = (x: HeapArray, part: string) => op.norm(x, weight(part), normEpsilon);
  /** What attention is told beside its operands. */
  const attention = (batch: number) => ({ batch, epsilon: normEpsilon, theta: ropeTheta });
  const headWeights = () => ({ qWeight: weight("self_attn.q_norm"), kWeight: weight("self_attn.k_norm") });

  function forward(input: BlockInput, batch: number, keep: boolean): { y: HeapArray; kept: Activations | null } {
    const { rows, index } = input;
    const { normed: inner, inverse: inputInverse } = norm(rows, "input_layernorm");
    const projections = op.projectAll(inner, [weight("self_attn.q_proj"), weight("self_attn.k_proj"), weight("self_attn.v_proj")]);
    inner.dispose();
    const [q, k, v] = projections.map((projection) => spread(projection, index)) as [HeapArray, HeapArray, HeapArray];
    const { mixed, statistics } = op.attend({ q, k, v, ...headWeights() }, attention(batch));
    if (!keep) dispose(q, k, v);
    const x = spread(rows.view(rows.shape), index);
    const attended = op.projectOnto(x, mixed, weight("self_attn.o_proj")); // [N, C]
    x.dispose();
    if (!keep) dispose(mixed, statistics);
    const { normed: normal, inverse: attendedInverse } = norm(attended, "post_attention_layernorm");
    const [gate, up] = op.projectAll(normal, [weight("mlp.gate_proj"), weight("mlp.up_proj")]); // [N, F]
    normal.dispose();
    const hidden = op.gated(gate, up);
    if (!keep) dispose(gate, up);
    const y = op.projectOnto(attended, hidden, weight("mlp.down_proj")); // [N, C]
    hidden.dispose();
    if (keep) return { y, kept: { input, inputInverse, q, k, v, mixed, statistics, attended, attendedInverse, gate, up } };
    dispose(inputInverse, attended, attendedInverse);
    return { y, kept: null };
  }

  /** dy [N, C] becomes the gradient of `attended`. */
  function backwardMlp({ attended, attendedInverse, gate, up }: Activations, dy: HeapArray, add: AddGradient): void {
    // The gradient of the gated product, which then becomes that product itself.
    const hidden = op.projectBack(dy, weight("mlp.down_proj"));
    op.gatedBack(gate, up, hidden);
    add(nameOf("mlp.down_proj"), op.weightGradient(dy, hidden));
    hidden.dispose();
    const scale = weight("post_attention_layernorm");
    const [dgate, dup] = op.weightGradients([gate, up], attended, scale, attendedInverse);
    add(nameOf("mlp.gate_proj"), dgate);
    add(nameOf("mlp.up_proj"), dup);
    const dinner = op.projectBack(gate, weight("mlp.gate_proj"));
    gate.dispose();
    op.projectBackInto(dinner, up, weight("mlp.up_proj"));
    up.dispose();
    add(nameOf("post_attention_layernorm"), op.normBackInto(dy, attended, scale, attendedInverse, dinner));
    attended.dispose();
  }

  /** dy [N, C], the gradient of `attended`, is gone -> that of the input's rows [U, C] */
  function backwardAttention(
    { input, inputInverse, q, k, v, mixed, statistics }: Activations,
    batch: number,
    dy: HeapArray,
    add: AddGradient,
  ): HeapArray {
    const { rows, index } = input;
    const count = rows.shape[0]!;
    add(nameOf("self_attn.o_proj"), op.weightGradient(dy, mixed));
    const dmixed = op.projectBack(dy, weight("self_attn.o_proj"));
    // Queries, keys and values are their gradients from here on.
    const operands = { q, k, v, ...headWeights(), out: mixed, statistics, dy: dmixed };
    const { dqWeight, dkWeight } = op.attendBack(operands, attention(batch));
    add(nameOf("self_attn.q_norm"), dqWeight);
    add(nameOf("self_attn.k_norm"), dkWeight);
    dispose(mixed, statistics, dmixed);
    const dq = spreadBack(q, index, count);
    const dk = spreadBack(k, index, count);
    const dv = spreadBack(v, index, count);
    const scale = weight("input_layernorm");
    const [dqProjection, dkProjection, dvProjection] = op.weightGradients([dq, dk, dv], rows, scale, inputInverse);
    add(nameOf("self_attn.q_proj"), dqProjection);
    add(nameOf("self_attn.k_proj"), dkProjection);
    add(nameOf("self_attn.v_proj"), dvProjection);
    const dinner = op.projectBack(dq, weight("self_attn.q_proj"));
    op.projectBackInto(dinner, dk, weight("self_attn.k_proj"));
    op.projectBackInto(dinner, dv, weight("self_attn.v_proj"));
    dispose(dq, dk, dv);
    const dx = spreadBack(dy, index, count);
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
function spread(x: HeapArray, index: HeapArray | null): HeapArray {
  if (index === null) return x;
  const rows = op.embed(x, index);
  x.dispose();
  return rows;
}

/** dy [N, W], the gradient of `spread`, is gone -> that of x [U, W] */
function spreadBack(dy: HeapArray, index: HeapArray | null, count: number): HeapArray {
  if (index === null) return dy;
  const sums = op.embedBack(dy, index, count);
  dy.dispose();
  return sums;
}
