/** Converts a token budget to rounds. */
import type { TrainingConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { objectiveOf } from "../objectives/list.ts";

/** Training tokens per round, over all shards. */
export function tokensPerRound(training: TrainingConfig, model: NetworkConfig): number {
  const examples = training.steps === 1 ? training.batch : training.batch * training.steps * training.shards;
  return examples * objectiveOf(training).examples.tokens(model);
}

/** The number of rounds of a run. The last round may exceed the token budget. */
export function totalRounds(training: TrainingConfig, model: NetworkConfig): number {
  return Math.max(1, Math.ceil(training.tokens / tokensPerRound(training, model)));
}
