/** One optimizer step on one batch, in the passes of a plan (plan.ts). */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { eachPass, lossAndGradients } from "../../model/backward/loss.ts";
import type { Batch, LossHead } from "../../model/backward/pass.ts";
import type { StepPlan } from "../../model/footprint/step-memory.ts";
import type { Weights } from "../../model/weights.ts";
import { isFused } from "../../tensor/ops.ts";
import { clipByGlobalNorm, type Optimizer } from "./optimizer.ts";

/** What steps work on. */
export interface Training {
  model: ModelConfig;
  lossHead: LossHead;
  /** How a batch goes through the model. */
  plan: StepPlan;
  /** The most that the gradients' global norm may be; 0: no limit. */
  clipNorm: number;
  optimizer: Optimizer;
  weights: Weights;
  state: Weights;
}

/**
 * Puts new weights and a new state in place of the old and returns the mean loss before. When one pass is enough and no global
 * norm is wanted, the optimizer consumes each gradient before the next one is computed: no more than a block's exist at a time.
 */
export function optimizerStep(training: Training, batch: Batch, lrScale: number): number {
  const { model, lossHead, plan, clipNorm, optimizer, weights, state } = training;
  if (plan.consume && plan.sequences < batch.sequences)
    throw new Error(`optimizerStep: expected a batch of at most the ${plan.sequences} sequences of its plan, got ${batch.sequences}`);
  if (plan.consume && isFused("AddInPlace")) {
    return eachPass(weights, model, batch, { lossHead, ...plan }, optimizer.beginStep(weights, state, lrScale));
  }
  const { loss, gradients } = lossAndGradients(weights, model, batch, lossHead, plan);
  let clipped = gradients;
  try {
    clipped = clipByGlobalNorm(gradients, clipNorm).gradients;
    const onGradient = optimizer.beginStep(weights, state, lrScale);
    for (const name of Object.keys(weights)) onGradient(name, clipped[name]!);
  } finally {
    // Disposing a consumed gradient again does nothing.
    tf.dispose(clipped);
  }
  return loss;
}
