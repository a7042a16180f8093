/**
 * Plans how a batch is divided into passes. A pass has enough sequences for fast products but fits into an isolate, so a task's
 * memory does not grow with its batch. The plan fixes the order of sums, so it must depend on the configuration alone.
 */
import type { TrainingConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { isDense } from "../../network-kind.ts";
import { PLANNED_WASM_BYTES } from "../../limits.ts";
import { objectiveOf } from "../../training/objectives/list.ts";
import { stepBytes, type StepPlan } from "./step-memory.ts";

/** Tokens per pass if all activations are kept. Larger passes are not faster. */
const PASS_TOKENS = 1024;
/**
 * Tokens per pass if only the inputs of blocks are kept. Larger than PASS_TOKENS, because a batch that fits into one pass needs
 * no summed gradients.
 */
const RECOMPUTED_PASS_TOKENS = 2048;

type Plannable = Pick<TrainingConfig, "objective" | "optimizer" | "clipNorm" | "recompute" | "steps">;

/** Plans the passes of `batch` sequences. */
export function planPasses(model: NetworkConfig, training: Plannable, batch: number): StepPlan {
  const { recompute, clipNorm, steps } = training;
  const { group } = objectiveOf(training).lossHead;
  const groups = batch / group;
  // A dense network runs example by example, so its memory does not grow with the batch.
  if (isDense(model)) return { sequences: batch, group, recompute: false, consume: steps > 1 && clipNorm === 0 };
  const most = Math.floor((recompute ? RECOMPUTED_PASS_TOKENS : PASS_TOKENS) / (model.context * group));
  const planOf = (sequences: number): StepPlan => ({
    sequences,
    group,
    recompute,
    // Each gradient can be consumed at once if the task applies the optimizer itself, without clipping and in a single pass.
    consume: steps > 1 && clipNorm === 0 && sequences >= batch,
  });
  const optimizer = steps > 1 ? training.optimizer : null;
  let best: { plan: StepPlan; bytes: number } | null = null;
  // All passes have the same size, because a small last pass would be slow.
  for (let passes = Math.ceil(groups / Math.max(1, most)); ; passes *= 2) {
    const plan = planOf(group * Math.ceil(groups / passes));
    const bytes = stepBytes(model, optimizer, batch, plan);
    if (bytes <= PLANNED_WASM_BYTES) return plan;
    // Smaller passes do not always need less memory: two or more passes keep the summed gradients.
    if (best === null || bytes < best.bytes) best = { plan, bytes };
    if (plan.sequences === group) return best.plan;
  }
}
