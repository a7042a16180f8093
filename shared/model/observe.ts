/**
 * Observes a model while it reads one sequence: the positions that each head attends to, and the tokens that the model would
 * predict after each layer. The forward pass is that of transformer.ts. Attention is computed a second time here, because its
 * kernel does not keep the probabilities.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { block, embeddedRows, logitsOf, type LayerCache } from "./transformer.ts";
import type { Weights } from "./weights.ts";

/** Rows of logits that exist at a time: 16 rows of the largest vocabulary take 4 MB. */
const LOGIT_ROWS = 16;

export interface Observation {
  /** One list per observed position: [layer][head][key], probabilities over the keys 0..position. */
  attention: number[][][][];
  /** The last block's output [T, C], from which `eachLogits` predicts. The caller disposes it. */
  hidden: tf.Tensor2D;
  /** The output of each block at the last observed position [L, C]. The caller disposes it. */
  layers: tf.Tensor2D;
}

/** Softmax of q . k / sqrt(D) over the keys 0..position, for each head. Head h reads the key head floor(h K / H). */
function attentionAt(queries: Float32Array, keys: Float32Array, config: ModelConfig, position: number): number[][] {
  const { heads, kvHeads, headWidth } = config;
  return Array.from({ length: heads }, (_, head) => {
    const query = (position * heads + head) * headWidth;
    const keyHead = Math.floor((head * kvHeads) / heads);
    const scores = Array.from({ length: position + 1 }, (__, at) => {
      const key = (at * kvHeads + keyHead) * headWidth;
      let sum = 0;
      for (let i = 0; i < headWidth; i++) sum += queries[query + i]! * keys[key + i]!;
      return sum / Math.sqrt(headWidth);
    });
    const largest = Math.max(...scores);
    const powers = scores.map((score) => Math.exp(score - largest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  });
}

/** Reads `ids` and observes the attention of the positions. Throws RangeError for a position outside the sequence. */
export function observe(weights: Weights, config: ModelConfig, ids: readonly number[], positions: readonly number[]): Observation {
  const outside = positions.find((position) => position < 0 || position >= ids.length);
  if (outside !== undefined || positions.length === 0)
    throw new RangeError(`observe: expected positions of 0..${ids.length - 1}, got ${outside ?? "none"}`);
  const attention: number[][][][] = positions.map(() => []);
  const [hidden, layers] = tf.tidy(() => {
    let x = embeddedRows(weights, tf.tensor1d(ids.slice(), "int32"));
    const rows: tf.Tensor2D[] = [];
    for (let layer = 0; layer < config.layers; layer++) {
      const read: { x: tf.Tensor2D; queries: tf.Tensor4D; cache: LayerCache } = block(weights, config, layer, x, 1, null);
      const [queries, keys] = [read.queries.dataSync<"float32">(), read.cache.keys.dataSync<"float32">()];
      for (const [index, position] of positions.entries()) attention[index]!.push(attentionAt(queries, keys, config, position));
      x = read.x;
      rows.push(tf.slice2d(x, [positions.at(-1)!, 0], [1, -1]));
    }
    return [x, tf.concat2d(rows, 0)];
  });
  return { attention, hidden: hidden!, layers: layers! };
}

/** Calls `visit` with the logits [V] of each row of hidden [N, C], few rows at a time. */
export function eachLogits(
  weights: Weights,
  config: ModelConfig,
  hidden: tf.Tensor2D,
  visit: (row: number, logits: Float32Array) => void,
): void {
  const [rows] = hidden.shape;
  for (let from = 0; from < rows; from += LOGIT_ROWS) {
    const count = Math.min(LOGIT_ROWS, rows - from);
    const logits = tf.tidy(() => logitsOf(weights, config, tf.slice2d(hidden, [from, 0], [count, -1])).dataSync<"float32">());
    for (let row = 0; row < count; row++) visit(from + row, logits.subarray(row * config.vocabSize, (row + 1) * config.vocabSize));
  }
}
