/** One optimizer step on one batch, in the passes that a plan says (plan.ts). */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { isFused } from "../../tensor/ops.ts";
import { eachPass, lossAndGradients } from "../../model/backward/loss.ts";
import { clipByGlobalNorm, type Optimizer } from "./optimizer.ts";
import type { StepPlan } from "../../model/footprint/step-memory.ts";
import type { Weights } from "../../model/weights.ts";

export interface Batch {
  /** int32 [B*T] */
  inputs: Int32Array;
  /** int32 [B*T]; -1 is ignored. */
  labels: Int32Array;
  /** Sequences, B. */
  sequences: number;
}

/** What steps work on. */
export interface Training {
  model: ModelConfig;
  /** How a batch goes through the model. */
  plan: StepPlan;
  /** The most that the gradients' global norm may be; 0: whatever it is. */
  clipNorm: number;
  optimizer: Optimizer;
  weights: Weights;
  state: Weights;
}

/**
 * Puts new weights and a new state in place of the old and returns the mean loss before. Where one pass does and no global
 * norm is wanted, each gradient is used up before the next one is computed, so that no more than a block's exist.
 */
export function trainStep(training: Training, { inputs, labels, sequences }: Batch, lrScale: number): number {
  const { model, plan, clipNorm, optimizer, weights, state } = training;
  if (plan.consume && plan.sequences < sequences)
    throw new Error(`trainStep: expected a batch of at most the ${plan.sequences} sequences of its plan, got ${sequences}`);
  if (plan.consume && isFused("AddInPlace")) {
    return eachPass(weights, model, inputs, labels, sequences, plan, optimizer.beginStep(weights, state, lrScale));
  }
  const { loss, gradients } = lossAndGradients(weights, model, inputs, labels, sequences, plan);
  let clipped = gradients;
  try {
    clipped = clipByGlobalNorm(gradients, clipNorm).gradients;
    const apply = optimizer.beginStep(weights, state, lrScale);
    for (const name of Object.keys(weights)) apply(name, clipped[name]!);
  } finally {
    // What is used up is gone already.
    tf.dispose(clipped);
  }
  return loss;
}
