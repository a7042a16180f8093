/** Finds results that are unusable by their numbers and names alone. The reduction checks their bytes later. */
import { hashSchema } from "../../artifacts.ts";
import { sequencesOf } from "../compute/data-order.ts";
import { objectiveOf } from "../objectives/list.ts";
import type { RunState } from "./run-state.ts";
import type { TaskResult, TrainResult } from "./task.ts";

/** Returns the fault of a result, or null. Checks the number of examples, because it is the result's weight in the mean. */
export function faultOf(state: RunState, shard: number, result: TaskResult): string | null {
  const numbers = result.kind === "train" ? [result.loss, result.deltaBytes, result.innerBytes] : [result.lossSum, result.targets];
  if (!numbers.every((value) => Number.isFinite(value) && value >= 0)) return "not-finite";
  if (result.kind === "train") return faultOfTraining(state, shard, result);
  const { valTokens, model, training } = state.spec;
  if (valTokens === undefined) return null;
  const expected = objectiveOf(training).examples.validationWeight(valTokens, { slice: shard, slices: training.shards }, model);
  return expected === null || result.targets === expected ? null : "wrong-amount";
}

function faultOfTraining({ spec: { training, model }, base }: RunState, shard: number, result: TrainResult): string | null {
  const [first, end] = sequencesOf(training, base.round, shard);
  const sequences = end - first;
  const tokens = sequences * objectiveOf(training).examples.tokens(model);
  if (result.sequences !== sequences || result.tokens !== tokens) return "wrong-amount";
  const areParts = (parts: unknown) =>
    Array.isArray(parts) && parts.length === base.weights.length && parts.every((hash) => hashSchema.safeParse(hash).success);
  const stateless = training.steps === 1 && training.compression === "float32";
  return areParts(result.delta) && (stateless ? result.inner === null : areParts(result.inner)) ? null : "wrong-object";
}
