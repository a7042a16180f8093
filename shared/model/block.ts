/**
 * A decoder block and its gradients, by hand: the same arithmetic as `block` in transformer.ts, which is the definition.
 * Forward keeps the eight tensors that are dear to compute again; norms, rotations and the gated product are computed
 * again in backward, which costs about a fiftieth of the block's products and saves as much memory as is kept.
 * Backward frees each of them as soon as it has been used. Axis letters as in tensor/ops.ts, N = B T rows.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import * as op from "../tensor/in-place.ts";
import type { Weights } from "./weights.ts";

/** Takes over a gradient of the parameter of that name. */
export type AddGradient = (name: string, gradient: tf.Tensor) => void;

/** What backward needs of a block's forward pass. */
export interface Activations {
  /** [N, C] */
  x: tf.Tensor2D;
  /** [B, T, H, D], before norm and rotation */
  q: tf.Tensor4D;
  /** [B, T, K, D], before norm and rotation */
  k: tf.Tensor4D;
  /** [B, T, K, D] */
  v: tf.Tensor4D;
  /** [B, T, H, D], what attention gave */
  mixed: tf.Tensor4D;
  /** [N, C], x plus attention */
  attended: tf.Tensor2D;
  /** [N, F] */
  gate: tf.Tensor2D;
  /** [N, F] */
  up: tf.Tensor2D;
}

export interface Block {
  /** x [N, C] -> [N, C]; takes x over when activations are kept, else leaves it alone. */
  forward(x: tf.Tensor2D, batch: number, keep: true): { y: tf.Tensor2D; kept: Activations };
  forward(x: tf.Tensor2D, batch: number, keep: false): { y: tf.Tensor2D; kept: null };
  /** Frees what was kept; dy [N, C] becomes dx. */
  backward(kept: Activations, dy: tf.Tensor2D, add: AddGradient): void;
}

/** The block of a layer. Throws when a parameter is missing. */
export function blockOf(weights: Weights, config: ModelConfig, layer: number): Block {
  const { heads, kvHeads, headWidth, normEpsilon, ropeTheta } = config;
  const nameOf = (part: string) => `model.layers.${layer}.${part}.weight`;
  const weight = (part: string): tf.Tensor => {
    const tensor = weights[nameOf(part)];
    if (tensor === undefined) throw new Error(`block: expected a weight named ${nameOf(part)}, found none`);
    return tensor;
  };

  /** [N, H D] -> [B, T, H, D], the same values */
  const split = (x: tf.Tensor2D, batch: number, count: number): tf.Tensor4D => {
    const view = tf.reshape(x, [batch, x.shape[0] / batch, count, headWidth]) as tf.Tensor4D;
    x.dispose();
    return view;
  };
  /** [B, T, H, D] -> [N, H D], the same values */
  const merge = (x: tf.Tensor4D): tf.Tensor2D => {
    const view = tf.reshape(x, [x.shape[0] * x.shape[1], x.shape[2] * headWidth]) as tf.Tensor2D;
    x.dispose();
    return view;
  };
  const turned = (x: tf.Tensor4D, part: string) => {
    const { normed, inverse } = op.norm(x, weight(part), normEpsilon);
    op.rotate(normed, ropeTheta, false);
    return { normed, inverse };
  };
  const normed = (x: tf.Tensor2D, part: string): tf.Tensor2D => {
    const result = op.norm(x, weight(part), normEpsilon);
    result.inverse.dispose();
    return result.normed;
  };

  function forward(x: tf.Tensor2D, batch: number, keep: boolean): { y: tf.Tensor2D; kept: Activations | null } {
    const input = normed(x, "input_layernorm");
    const q = split(op.project(input, weight("self_attn.q_proj")), batch, heads); // [B, T, H, D]
    const k = split(op.project(input, weight("self_attn.k_proj")), batch, kvHeads); // [B, T, K, D]
    const v = split(op.project(input, weight("self_attn.v_proj")), batch, kvHeads);
    input.dispose();
    const queries = turned(q, "self_attn.q_norm");
    const keys = turned(k, "self_attn.k_norm");
    if (!keep) tf.dispose([q, k]);
    const mixed = op.attend(queries.normed, keys.normed, v) as tf.Tensor4D; // [B, T, H, D]
    tf.dispose([queries.normed, queries.inverse, keys.normed, keys.inverse]);
    if (!keep) v.dispose();
    const flat = tf.reshape(mixed, [x.shape[0], heads * headWidth]);
    const attended = op.project(flat, weight("self_attn.o_proj")); // [N, C]
    flat.dispose();
    if (!keep) mixed.dispose();
    op.addCopy(attended, x);
    const inner = normed(attended, "post_attention_layernorm");
    const gate = op.project(inner, weight("mlp.gate_proj")); // [N, F]
    const up = op.project(inner, weight("mlp.up_proj"));
    inner.dispose();
    const hidden = op.gated(gate, up);
    if (!keep) tf.dispose([gate, up]);
    const y = op.project(hidden, weight("mlp.down_proj")); // [N, C]
    hidden.dispose();
    op.addCopy(y, attended);
    if (keep) return { y, kept: { x, q, k, v, mixed, attended, gate, up } };
    attended.dispose();
    return { y, kept: null };
  }

  /** dy [N, C] becomes the gradient of `attended`. */
  function backwardMlp({ attended, gate, up }: Activations, dy: tf.Tensor2D, add: AddGradient): void {
    // The gradient of the gated product, which then becomes that product itself.
    const hidden = op.projectBack(dy, weight("mlp.down_proj"));
    op.gatedBack(gate, up, hidden);
    add(nameOf("mlp.down_proj"), op.weightGradient(dy, hidden));
    hidden.dispose();
    const { normed: inner, inverse } = op.norm(attended, weight("post_attention_layernorm"), normEpsilon);
    add(nameOf("mlp.gate_proj"), op.weightGradient(gate, inner));
    add(nameOf("mlp.up_proj"), op.weightGradient(up, inner));
    inner.dispose();
    const dinner = op.projectBack(gate, weight("mlp.gate_proj"));
    gate.dispose();
    op.addTo(dinner, op.projectBack(up, weight("mlp.up_proj")));
    up.dispose();
    add(nameOf("post_attention_layernorm"), op.normBack(attended, weight("post_attention_layernorm"), inverse, dinner));
    attended.dispose();
    op.addTo(dy, dinner);
  }

  /** dy [N, C], the gradient of `attended`, becomes that of x. */
  function backwardAttention({ x, q, k, v, mixed }: Activations, dy: tf.Tensor2D, add: AddGradient): void {
    const batch = q.shape[0];
    const queries = turned(q, "self_attn.q_norm");
    const keys = turned(k, "self_attn.k_norm");
    const dmixed = split(op.projectBack(dy, weight("self_attn.o_proj")), batch, heads);
    const [dq, dk, dv] = op.attendBack(queries.normed, keys.normed, v, mixed, dmixed) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    tf.dispose([queries.normed, keys.normed, v, dmixed]);
    const flat = merge(mixed);
    add(nameOf("self_attn.o_proj"), op.weightGradient(dy, flat));
    flat.dispose();
    op.rotate(dq, ropeTheta, true);
    add(nameOf("self_attn.q_norm"), op.normBack(q, weight("self_attn.q_norm"), queries.inverse, dq));
    op.rotate(dk, ropeTheta, true);
    add(nameOf("self_attn.k_norm"), op.normBack(k, weight("self_attn.k_norm"), keys.inverse, dk));
    tf.dispose([q, k]);
    const { normed: input, inverse } = op.norm(x, weight("input_layernorm"), normEpsilon);
    let dinput: tf.Tensor2D | null = null;
    for (const [part, gradient] of [
      ["q_proj", dq],
      ["k_proj", dk],
      ["v_proj", dv],
    ] as const) {
      const rows = merge(gradient);
      add(nameOf(`self_attn.${part}`), op.weightGradient(rows, input));
      const share = op.projectBack(rows, weight(`self_attn.${part}`));
      rows.dispose();
      if (dinput === null) dinput = share;
      else op.addTo(dinput, share);
    }
    input.dispose();
    add(nameOf("input_layernorm"), op.normBack(x, weight("input_layernorm"), inverse, dinput!));
    x.dispose();
    op.addTo(dy, dinput!);
  }

  return {
    forward: forward as Block["forward"],
    backward(kept, dy, add) {
      backwardMlp(kept, dy, add);
      backwardAttention(kept, dy, add);
    },
  };
}
