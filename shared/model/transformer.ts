/**
 * The Qwen3 decoder: RMSNorm, per-head QK-norm, rotary positions, grouped queries, SwiGLU, no biases (arXiv:2505.09388).
 *
 * Training and decoding share the same block. Training has no past. Decoding passes the past keys and values to the block, and
 * the block returns them with the new positions appended.
 *
 * Axis letters as in tensor/ops.ts; L is the number of layers.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { causalAttention, embedding, linear, rmsNorm, rotary, swiglu } from "../tensor/ops.ts";
import type { Weights } from "./weights.ts";

/** Keys (normed and rotated) and values of all positions so far, each [B, S, K, D]. */
export interface LayerCache {
  keys: tf.Tensor4D;
  values: tf.Tensor4D;
}

function weight<T extends tf.Tensor>(weights: Weights, name: string): T {
  const tensor = weights[name];
  if (tensor === undefined) throw new Error(`transformer: expected a weight named ${name}, found none`);
  return tensor as T;
}

/** x [B*T, C] -> y [B*T, C], the queries (normed and rotated) [B, T, H, D], and the layer's cache with T more positions */
export function block(
  weights: Weights,
  config: ModelConfig,
  layer: number,
  x: tf.Tensor2D,
  batch: number,
  past: LayerCache | null,
): { x: tf.Tensor2D; queries: tf.Tensor4D; cache: LayerCache } {
  const prefix = `model.layers.${layer}`;
  const { heads, kvHeads, headWidth, normEpsilon, ropeTheta } = config;
  const length = x.shape[0] / batch;
  const offset = past === null ? 0 : past.keys.shape[1];
  const project = (input: tf.Tensor2D, name: string) => linear(input, weight(weights, `${prefix}.${name}.weight`));
  const split = (input: tf.Tensor2D, count: number) => tf.reshape(input, [batch, length, count, headWidth]) as tf.Tensor4D; // [B, T, H, D]
  const rotated = (input: tf.Tensor4D, name: string) =>
    rotary(rmsNorm(input, weight(weights, `${prefix}.self_attn.${name}.weight`), normEpsilon), ropeTheta, offset);

  const normed = rmsNorm(x, weight(weights, `${prefix}.input_layernorm.weight`), normEpsilon);
  const q = rotated(split(project(normed, "self_attn.q_proj"), heads), "q_norm");
  const newKeys = rotated(split(project(normed, "self_attn.k_proj"), kvHeads), "k_norm");
  const newValues = split(project(normed, "self_attn.v_proj"), kvHeads);
  const keys = past === null ? newKeys : tf.concat4d([past.keys, newKeys], 1); // [B, S, K, D]
  const values = past === null ? newValues : tf.concat4d([past.values, newValues], 1);
  const attentionOutput = tf.reshape(causalAttention(q, keys, values), [batch * length, heads * headWidth]) as tf.Tensor2D;
  const attended = tf.add(x, project(attentionOutput, "self_attn.o_proj")) as tf.Tensor2D;

  const normedInput = rmsNorm(attended, weight(weights, `${prefix}.post_attention_layernorm.weight`), normEpsilon);
  const hidden = swiglu(project(normedInput, "mlp.gate_proj"), project(normedInput, "mlp.up_proj"));
  return { x: tf.add(attended, project(hidden, "mlp.down_proj")) as tf.Tensor2D, queries: q, cache: { keys, values } };
}

/** ids int32 [N] -> the first block's input [N, C] */
export function embeddedRows(weights: Weights, ids: tf.Tensor1D): tf.Tensor2D {
  return embedding(weight(weights, "model.embed_tokens.weight"), ids);
}

/**
 * ids int32 [B*T] -> the last block's output [B*T, C] and the caches of all layers. Call it in a tf.tidy, because it creates
 * temporaries.
 */
function hiddenCached(
  weights: Weights,
  config: ModelConfig,
  ids: tf.Tensor1D,
  batch: number,
  past: LayerCache[] | null,
): { hidden: tf.Tensor2D; caches: LayerCache[] } {
  if (ids.shape[0] % batch !== 0) throw new Error(`forward: expected ids [B*T] with B = ${batch}, got [${ids.shape}]`);
  const caches: LayerCache[] = [];
  let x = embeddedRows(weights, ids);
  for (let layer = 0; layer < config.layers; layer++) {
    const result = block(weights, config, layer, x, batch, past?.[layer] ?? null);
    x = result.x;
    caches.push(result.cache);
  }
  return { hidden: x, caches };
}

/** ids int32 [B*T] -> the last block's output [B*T, C] */
export function hiddenRows(weights: Weights, config: ModelConfig, ids: tf.Tensor1D, batch: number): tf.Tensor2D {
  return hiddenCached(weights, config, ids, batch, null).hidden;
}

/** hidden [N, C] -> logits [N, V], through the last norm and the output matrix */
export function logitsOf(weights: Weights, config: ModelConfig, hidden: tf.Tensor2D): tf.Tensor2D {
  const last = rmsNorm(hidden, weight(weights, "model.norm.weight"), config.normEpsilon);
  return linear(last, weight<tf.Tensor2D>(weights, config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"));
}

/** ids int32 [B*T] -> logits [B*T, V] and the caches of all layers. Call it in a tf.tidy, because it creates temporaries. */
export function forwardCached(
  weights: Weights,
  config: ModelConfig,
  ids: tf.Tensor1D,
  batch: number,
  past: LayerCache[] | null,
): { logits: tf.Tensor2D; caches: LayerCache[] } {
  const { hidden, caches } = hiddenCached(weights, config, ids, batch, past);
  return { logits: logitsOf(weights, config, hidden), caches };
}

/** ids int32 [B*T] -> logits [B*T, V] */
export function forward(weights: Weights, config: ModelConfig, ids: tf.Tensor1D, batch: number): tf.Tensor2D {
  return forwardCached(weights, config, ids, batch, null).logits;
}
