/** One optimizer step on one batch, in the passes that a plan says (plan.ts). */
import type { ModelConfig, TrainingConfig } from "../config.ts";
import { isFused } from "../tensor/ops.ts";
import { eachPass, lossAndGradients } from "./loss.ts";
import { clipByGlobalNorm, type Optimizer } from "./optimizer.ts";
import { planPasses } from "./plan.ts";
import type { Weights } from "./weights.ts";

export interface Batch {
  /** int32 [B*T] */
  inputs: Int32Array;
  /** int32 [B*T]; -1 is ignored. */
  labels: Int32Array;
  /** Sequences, B. */
  sequences: number;
}

/**
 * Puts new weights and a new state in place of the old and returns the mean loss before. Where one pass does and no global
 * norm is wanted, each gradient is used up before the next one is computed, so that no more than a block's exist.
 */
export function trainStep(
  model: ModelConfig,
  training: Pick<TrainingConfig, "optimizer" | "clipNorm" | "recompute" | "steps">,
  optimizer: Optimizer,
  weights: Weights,
  state: Weights,
  { inputs, labels, sequences }: Batch,
  lrScale: number,
): number {
  const plan = planPasses(model, training, sequences);
  if (plan.consume && isFused("AddInPlace")) {
    return eachPass(weights, model, inputs, labels, sequences, plan, optimizer.beginStep(weights, state, lrScale));
  }
  const { loss, gradients } = lossAndGradients(weights, model, inputs, labels, sequences, plan);
  const clipped = clipByGlobalNorm(gradients, training.clipNorm).gradients;
  const apply = optimizer.beginStep(weights, state, lrScale);
  for (const name of Object.keys(weights)) apply(name, clipped[name]!);
  return loss;
}
