/** How a token budget becomes rounds. */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { objectiveOf } from "../objectives/list.ts";

/** Training tokens that one round consumes over all shards. */
export function tokensPerRound(training: TrainingConfig, model: ModelConfig): number {
  const examples = training.steps === 1 ? training.batch : training.batch * training.steps * training.shards;
  return examples * objectiveOf(training).examples.tokens(model);
}

/** Rounds of a run: the budget is a target that the last round may overshoot. */
export function totalRounds(training: TrainingConfig, model: ModelConfig): number {
  return Math.max(1, Math.ceil(training.tokens / tokensPerRound(training, model)));
}
