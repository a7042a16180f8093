/**
 * Trains without the pipeline and returns the losses of a model's first optimizer steps on a token sequence, at a constant
 * learning rate. Equal arguments give equal weights and equal windows in equal order, so two implementations of the ops can be
 * compared step by step.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig, OptimizerConfig } from "../../../../shared/config.ts";
import { lossAndGradients } from "../../../../shared/model/backward/loss.ts";
import { createOptimizer } from "../../../../shared/training/compute/optimizer.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import { initWeights } from "../../../../shared/model/weights.ts";
import { exampleOf } from "../../../../shared/training/compute/data-order.ts";
import { pretrain } from "../../../../shared/training/objectives/pretrain.ts";

const SEED = 1;

export interface CurveSetting {
  model: ModelConfig;
  optimizer: OptimizerConfig;
  /** Sequences per step. */
  batch: number;
  steps: number;
}

/** The loss of each step in nats, before its update. */
export function lossCurve({ model, optimizer: config, batch, steps }: CurveSetting, tokens: Uint16Array): number[] {
  const { context } = model;
  const examples = pretrain.examples.trainingCount(tokens.length, model);
  const optimizer = createOptimizer(config);
  let weights = initWeights(model, SEED);
  let state = optimizer.init(weights);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const starts = Array.from({ length: batch }, (_, index) => exampleOf(SEED, step * batch + index, examples) * context);
    const read = (shift: number) =>
      Int32Array.from({ length: batch * context }, (_, at) => tokens[starts[Math.floor(at / context)]! + (at % context) + shift]!);
    const { loss, gradients } = lossAndGradients(weights, model, { inputs: read(0), labels: read(1), sequences: batch }, pretrain.lossHead);
    losses.push(loss);
    ({ weights, state } = optimizer.update(gradients, state, weights, 1));
  }
  tf.dispose([weights, state]);
  return losses;
}

/** A sequence that can be learned: a fixed rule computes each token from the previous token; one token in eight is random. */
export function syntheticTokens(count: number, vocabSize: number): Uint16Array {
  const random = createRandom(SEED);
  let last = 0;
  return Uint16Array.from({ length: count }, () => {
    last = random() < 1 / 8 ? Math.floor(random() * vocabSize) : (last * 5 + 3) % vocabSize;
    return last;
  });
}

/** The largest difference between two curves at the same step. */
export function largestGap(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length || a.length === 0)
    throw new Error(`largestGap: expected two curves of one length, got ${a.length} and ${b.length}`);
  return a.reduce((gap, loss, step) => {
    const difference = Math.abs(loss - b[step]!);
    return Number.isNaN(difference) || difference > gap ? difference : gap;
  }, 0);
}
