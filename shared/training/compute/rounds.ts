/** Converts a token budget to rounds. */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { objectiveOf } from "../objectives/list.ts";

/** Training tokens per round, over all shards. */
export function tokensPerRound(training: TrainingConfig, model: ModelConfig): number {
  const examples = training.steps === 1 ? training.batch : training.batch * training.steps * training.shards;
  return examples * objectiveOf(training).examples.tokens(model);
}

/** The number of rounds of a run. The last round may exceed the token budget. */
export function totalRounds(training: TrainingConfig, model: ModelConfig): number {
  return Math.max(1, Math.ceil(training.tokens / tokensPerRound(training, model)));
}
