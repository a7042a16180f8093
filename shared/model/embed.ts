/** A vector for a whole text: the mean of the last hidden states, with length 1. Texts are then compared by their dot product. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { rmsNorm } from "../tensor/ops.ts";
import { hiddenRows } from "./transformer.ts";
import type { Weights } from "./weights.ts";

/** ids [T] -> [C], of length 1. The hidden states are those after the last norm, which the output matrix reads. */
export function embed(weights: Weights, config: ModelConfig, ids: readonly number[]): Float32Array {
  if (ids.length < 1 || ids.length > config.context) throw new Error(`embed: expected 1..${config.context} ids, got ${ids.length}`);
  return tf.tidy(() => {
    const hidden = hiddenRows(weights, config, tf.tensor1d(ids.slice(), "int32"), 1); // [T, C]
    const last = rmsNorm(hidden, weights["model.norm.weight"] as tf.Tensor1D, config.normEpsilon);
    const mean = tf.mean(last, 0); // [C]
    const values = Float32Array.from(mean.dataSync<"float32">());
    const length = Math.hypot(...values);
    return length === 0 ? values : values.map((value) => value / length);
  });
}
