/**
 * How a batch goes through a model: enough sequences at a time for fast products, within an isolate's memory, so that a task's
 * memory does not grow with its batch. A pure function of the configuration, because it decides the order of sums.
 */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { PLANNED_WASM_BYTES } from "../../limits.ts";
import { objectiveOf } from "../../training/objectives/list.ts";
import { stepBytes, type StepPlan } from "./step-memory.ts";

/** Tokens of a pass that keeps all activations. More rows make products no faster. */
const PASS_TOKENS = 1024;
/** Tokens of a pass that keeps the blocks' inputs only. It is larger, because gradients of a single pass need not be kept. */
const RECOMPUTED_PASS_TOKENS = 2048;

type Plannable = Pick<TrainingConfig, "objective" | "optimizer" | "clipNorm" | "recompute" | "steps">;

/** The passes of a batch; `batch` counts sequences. */
export function planPasses(model: ModelConfig, training: Plannable, batch: number): StepPlan {
  const { recompute, clipNorm, steps } = training;
  const { group } = objectiveOf(training).lossHead;
  const groups = batch / group;
  const most = Math.floor((recompute ? RECOMPUTED_PASS_TOKENS : PASS_TOKENS) / (model.context * group));
  const planOf = (sequences: number): StepPlan => ({
    sequences,
    group,
    recompute,
    // A global norm needs all gradients at once, and so does a task that returns them.
    consume: steps > 1 && clipNorm === 0 && sequences >= batch,
  });
  const optimizer = steps > 1 ? training.optimizer : null;
  let best: { plan: StepPlan; bytes: number } | null = null;
  // Passes of equal size: a small last pass would be slow.
  for (let passes = Math.ceil(groups / Math.max(1, most)); ; passes *= 2) {
    const plan = planOf(group * Math.ceil(groups / passes));
    const bytes = stepBytes(model, optimizer, batch, plan);
    if (bytes <= PLANNED_WASM_BYTES) return plan;
    // Smaller passes do not always need less memory: two and more keep the sums of all gradients.
    if (best === null || bytes < best.bytes) best = { plan, bytes };
    if (plan.sequences === group) return best.plan;
  }
}
