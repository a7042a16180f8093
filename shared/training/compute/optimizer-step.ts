/** One optimizer step on a batch, divided into passes (model/footprint/plan.ts). */
import * as tf from "@tensorflow/tfjs-core";
import type { NetworkConfig } from "../../network-config.ts";
import { eachPass, lossAndGradients } from "../../model/backward/loss.ts";
import type { Batch, Loss } from "../../model/backward/pass.ts";
import type { StepPlan } from "../../model/footprint/step-memory.ts";
import type { Weights } from "../../model/weights.ts";
import { isFused } from "../../tensor/ops.ts";
import { clipByGlobalNorm, type Optimizer } from "./optimizer.ts";

/** The inputs of an optimizer step. */
export interface Training {
  model: NetworkConfig;
  lossHead: Loss;
  /** How the batch is divided into passes. */
  plan: StepPlan;
  /** Maximum global norm of the gradients; 0: no maximum. */
  clipNorm: number;
  optimizer: Optimizer;
  weights: Weights;
  state: Weights;
}

/**
 * Updates weights and state in place. Returns the mean loss before the update.
 *
 * With `plan.consume`, the optimizer consumes each gradient before the next gradient is computed, so only the gradients of one
 * block exist at once. This needs a single pass and no clipping.
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
    // Disposing a consumed gradient again is harmless.
    tf.dispose(clipped);
  }
  return loss;
}
