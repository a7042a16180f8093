/**
 * A decoder block with hand-written gradients. `block` in transformer.ts defines the arithmetic; this file computes the same
 * numbers.
 *
 * The forward pass keeps the activations that are expensive to recompute, and the inverse rms of the block's norms. The backward
 * pass recomputes the gated product and the norms of q and k. The backward pass frees each tensor after its last use. Axis
 * letters as in tensor/ops.ts; N = B T rows.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { dispose, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { layerName, type Weights } from "../weights.ts";
import type { OnGradient } from "./pass.ts";

/**
 * The input x [N, C] of a block. Row n of x is rows[index[n]]. Without an index, x is `rows` itself.
 *
 * The first block uses an index: a batch repeats the same U tokens, so everything before attention is computed once per distinct
 * token.
 */
export interface BlockInput {
  /** [U, C] */
  rows: HeapBuffer;
  /** int32 [N], owned by the caller */
  index: HeapBuffer | null;
}

/** The activations that the forward pass keeps for the backward pass. */
export interface Activations {
  input: BlockInput;
  /** [U], inverse rms of each input row */
  inputInverse: HeapBuffer;
  /** [N, H D], before norm and rotation */
  q: HeapBuffer;
  /** [N, K D], before norm and rotation */
  k: HeapBuffer;
  /** [N, K D] */
  v: HeapBuffer;
  /** [N, H D] */
  attentionOutput: HeapBuffer;
  /** [N, H, 2], softmax statistics, from which the backward pass recomputes the attention probabilities */
  statistics: HeapBuffer;
  /** [N, C], x plus the attention block's output */
  attended: HeapBuffer;
  /** [N], inverse rms of each row of `attended` */
  attendedInverse: HeapBuffer;
  /** [N, F] */
  gate: HeapBuffer;
  /** [N, F] */
  up: HeapBuffer;
}

export interface Block {
  /** Returns y [N, C]. With `keep`, `kept` becomes the owner of the input's rows. Without `keep`, the caller still owns the rows. */
  forward(input: BlockInput, batch: number, keep: true): { y: HeapBuffer; kept: Activations };
  forward(input: BlockInput, batch: number, keep: false): { y: HeapBuffer; kept: null };
  /** dy [N, C] -> the gradient of the input's rows [U, C]. Consumes the activations and dy. */
  backward(kept: Activations, batch: number, dy: HeapBuffer, onGradient: OnGradient): HeapBuffer;
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
  /** Settings of the attention kernels. */
  const attention = (batch: number) => ({ batch, epsilon: normEpsilon, theta: ropeTheta });
  const headWeights = () => ({ qWeight: weight("self_attn.q_norm"), kWeight: weight("self_attn.k_norm") });

  function forward(input: BlockInput, batch: number, keep: boolean): { y: HeapBuffer; kept: Activations | null } {
    const { rows, index } = input;
    const { normed: normedInput, inverse: inputInverse } = norm(rows, "input_layernorm");
    const projections = op.fusedLinear(normedInput, [weight("self_attn.q_proj"), weight("self_attn.k_proj"), weight("self_attn.v_proj")]);
    normedInput.dispose();
    const [q, k, v] = projections.map((projection) => gatherRows(projection, index)) as [HeapBuffer, HeapBuffer, HeapBuffer];
    const { mixed: attentionOutput, statistics } = op.attend({ q, k, v, ...headWeights() }, attention(batch));
    if (!keep) dispose(q, k, v);
    const x = gatherRows(rows.view(rows.shape), index);
    const attended = op.linearAdd(x, attentionOutput, weight("self_attn.o_proj")); // [N, C]
    x.dispose();
    if (!keep) dispose(attentionOutput, statistics);
    const { normed: mlpInput, inverse: attendedInverse } = norm(attended, "post_attention_layernorm");
    const [gate, up] = op.fusedLinear(mlpInput, [weight("mlp.gate_proj"), weight("mlp.up_proj")]); // [N, F]
    mlpInput.dispose();
    const hidden = op.gated(gate, up);
    if (!keep) dispose(gate, up);
    const y = op.linearAdd(attended, hidden, weight("mlp.down_proj")); // [N, C]
    hidden.dispose();
    if (keep) return { y, kept: { input, inputInverse, q, k, v, attentionOutput, statistics, attended, attendedInverse, gate, up } };
    dispose(inputInverse, attended, attendedInverse);
    return { y, kept: null };
  }

  /** Replaces dy [N, C] by the gradient of `attended`. */
  function backwardMlp({ attended, attendedInverse, gate, up }: Activations, dy: HeapBuffer, onGradient: OnGradient): void {
    // `hidden` holds the gradient of the gated product until `gatedBack` replaces it by the gated product itself.
    const hidden = op.linearInputGrad(dy, weight("mlp.down_proj"));
    op.gatedBack(gate, up, hidden);
    onGradient(nameOf("mlp.down_proj"), op.linearWeightGrad(dy, hidden));
    hidden.dispose();
    const scale = weight("post_attention_layernorm");
    const [dgate, dup] = op.fusedWeightGrads([gate, up], attended, scale, attendedInverse);
    onGradient(nameOf("mlp.gate_proj"), dgate);
    onGradient(nameOf("mlp.up_proj"), dup);
    const dmlpInput = op.linearInputGrad(gate, weight("mlp.gate_proj"));
    gate.dispose();
    op.linearInputGradAccumulate(dmlpInput, up, weight("mlp.up_proj"));
    up.dispose();
    onGradient(nameOf("post_attention_layernorm"), op.normBackInto(dy, attended, scale, attendedInverse, dmlpInput));
    attended.dispose();
  }

  /** dy [N, C], the gradient of `attended` -> the gradient of the input's rows [U, C]. Consumes dy. */
  function backwardAttention(
    { input, inputInverse, q, k, v, attentionOutput, statistics }: Activations,
    batch: number,
    dy: HeapBuffer,
    onGradient: OnGradient,
  ): HeapBuffer {
    const { rows, index } = input;
    const count = rows.shape[0]!;
    onGradient(nameOf("self_attn.o_proj"), op.linearWeightGrad(dy, attentionOutput));
    const dattention = op.linearInputGrad(dy, weight("self_attn.o_proj"));
    // `attendBack` replaces q, k and v by their gradients.
    const operands = { q, k, v, ...headWeights(), out: attentionOutput, statistics, dy: dattention };
    const { dqWeight, dkWeight } = op.attendBack(operands, attention(batch));
    onGradient(nameOf("self_attn.q_norm"), dqWeight);
    onGradient(nameOf("self_attn.k_norm"), dkWeight);
    dispose(attentionOutput, statistics, dattention);
    const dq = scatterAddRows(q, index, count);
    const dk = scatterAddRows(k, index, count);
    const dv = scatterAddRows(v, index, count);
    const scale = weight("input_layernorm");
    const [dqProjection, dkProjection, dvProjection] = op.fusedWeightGrads([dq, dk, dv], rows, scale, inputInverse);
    onGradient(nameOf("self_attn.q_proj"), dqProjection);
    onGradient(nameOf("self_attn.k_proj"), dkProjection);
    onGradient(nameOf("self_attn.v_proj"), dvProjection);
    const dnormedInput = op.linearInputGrad(dq, weight("self_attn.q_proj"));
    op.linearInputGradAccumulate(dnormedInput, dk, weight("self_attn.k_proj"));
    op.linearInputGradAccumulate(dnormedInput, dv, weight("self_attn.v_proj"));
    dispose(dq, dk, dv);
    const dx = scatterAddRows(dy, index, count);
    onGradient(nameOf("input_layernorm"), op.normBackInto(dx, rows, scale, inputInverse, dnormedInput));
    rows.dispose();
    return dx;
  }

  return {
    forward: forward as Block["forward"],
    backward(kept, batch, dy, onGradient) {
      backwardMlp(kept, dy, onGradient);
      return backwardAttention(kept, batch, dy, onGradient);
    },
  };
}

/** x [U, W] -> the rows of x at index [N, W]; without an index, x. Consumes x. */
function gatherRows(x: HeapBuffer, index: HeapBuffer | null): HeapBuffer {
  if (index === null) return x;
  const rows = op.gatherRows(x, index);
  x.dispose();
  return rows;
}

/** The gradient of `gatherRows`: dy [N, W] -> dx [U, W]. Consumes dy. */
function scatterAddRows(dy: HeapBuffer, index: HeapBuffer | null, count: number): HeapBuffer {
  if (index === null) return dy;
  const sums = op.scatterAddRows(dy, index, count);
  dy.dispose();
  return sums;
}
