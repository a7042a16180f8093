/** Trains a model on a sequence of tokens in this process. Import tensors-in-node.ts before this file. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig, Preset } from "../../../shared/config.ts";
import { planPasses } from "../../../shared/model/footprint/plan.ts";
import { createRandom } from "../../../shared/model/random.ts";
import { initWeights, type Weights } from "../../../shared/model/weights.ts";
import { createOptimizer } from "../../../shared/training/compute/optimizer.ts";
import { optimizerStep } from "../../../shared/training/compute/optimizer-step.ts";
import { pretrain } from "../../../shared/training/objectives/pretrain.ts";

const SEED = 1;
const REPORT_STEPS = 100;

/** Weights after some steps of a preset's recipe at a rate that falls to zero. The caller disposes them. */
export function trainedWeights(
  model: ModelConfig,
  training: Preset["training"],
  steps: number,
  tokens: Uint16Array,
  report: (step: number, loss: number) => void,
): Weights {
  const { batch: sequences, clipNorm } = training;
  const { context } = model;
  const optimizer = createOptimizer(training.optimizer);
  const weights = initWeights(model, SEED);
  const state = optimizer.init(weights);
  const plan = planPasses(model, { ...training, steps: 2 }, sequences);
  const random = createRandom(SEED);
  for (let step = 0; step < steps; step++) {
    const starts = Array.from({ length: sequences }, () => Math.floor(random() * (tokens.length - context - 1)));
    const read = (shift: number) =>
      Int32Array.from({ length: sequences * context }, (_, at) => tokens[starts[Math.floor(at / context)]! + (at % context) + shift]!);
    const trained = { model, lossHead: pretrain.lossHead, plan, clipNorm, optimizer, weights, state };
    const loss = optimizerStep(trained, { inputs: read(0), labels: read(1), sequences }, 1 - step / steps);
    if ((step + 1) % REPORT_STEPS === 0) report(step + 1, loss);
  }
  tf.dispose(state);
  return weights;
}
