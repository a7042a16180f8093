/** A decoder as a reward model: one score of a whole text in place of the output matrix. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { SCORE, weightShapes, type Weights } from "../model/weights.ts";

export const scoredModel = (model: ModelConfig): ModelConfig => ({ ...model, isScored: true });

/** The weights of a decoder as those of its reward model, with a score of 0 for every text. The caller disposes the copies. */
export function withScore(weights: Weights, model: ModelConfig): Weights {
  return Object.fromEntries(
    weightShapes(scoredModel(model)).map(([name, shape]) => [name, name === SCORE ? tf.zeros(shape) : tf.clone(weights[name]!)]),
  );
}
