/**
 * How a batch goes through a model: as many sequences at a time as fast products want and an isolate's memory allows, so
 * that a task's memory does not grow with its batch. A pure function of the configuration, for it decides the order of sums.
 */
import type { ModelConfig, TrainingConfig } from "../config.ts";
import { USABLE_ISOLATE_BYTES } from "../limits.ts";
import { stepBytes, type StepPlan } from "./step-memory.ts";

/** Tokens of a pass that keeps all activations. More rows make products no faster. */
const PASS_TOKENS = 1024;
/** Tokens of a pass that keeps the blocks' inputs only: one pass can use up its gradients, so it may be larger. */
const RECOMPUTED_PASS_TOKENS = 2048;

type Plannable = Pick<TrainingConfig, "optimizer" | "clipNorm" | "recompute" | "steps">;

export function planPasses(model: ModelConfig, training: Plannable, batch: number): StepPlan {
  const { recompute, clipNorm, steps } = training;
  const most = Math.floor((recompute ? RECOMPUTED_PASS_TOKENS : PASS_TOKENS) / model.context);
  const planOf = (sequences: number): StepPlan => ({
    sequences,
    recompute,
    // A global norm needs all gradients at once, and so does a task that returns them.
    consume: steps > 1 && clipNorm === 0 && sequences >= batch,
  });
  const fits = (plan: StepPlan) => stepBytes(model, steps > 1 ? training.optimizer : null, batch, plan) <= USABLE_ISOLATE_BYTES;
  // Passes of equal size: no last one that is too small to be fast.
  let passes = Math.ceil(batch / Math.max(1, most));
  for (;;) {
    const plan = planOf(Math.ceil(batch / passes));
    if (plan.sequences === 1 || fits(plan)) return plan;
    passes *= 2;
  }
}
