/**
 * Requests to storage of one reduction, predicted before a run begins: a run whose reductions would exceed the platform's
 * limit of one invocation could never end its first round.
 */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { namedError } from "../../errors.ts";
import { MAX_SUBREQUESTS, PLANNED_SUBREQUESTS } from "../../limits.ts";
import { partition } from "../formats/partition.ts";

export interface RequestEstimate {
  parts: number;
  shards: number;
  requests: number;
}

/** Counts every object at most as often as a reduction without failing requests reads or writes it. */
export function estimateReduction(model: ModelConfig, { shards, steps, clipNorm, compression }: TrainingConfig): RequestEstimate {
  const parts = partition(model).length;
  // Exact rounds that clip need the norm over all parts first.
  const passes = steps === 1 && clipNorm > 0 && parts > 1 ? 2 : 1;
  const states = steps > 1 || compression !== "float32" ? 1 : 0;
  // Of the coordinator's own weights and optimizer state, each is read, put and, if it is there already, looked at and put again.
  const own = 2 * parts * 4;
  const manifest = 3;
  return { parts, shards, requests: parts * shards * (passes + states) + own + manifest };
}

/** Throws InvalidInput, with the figures and the remedy, for a reduction that one invocation could not finish. */
export function checkReduction({ parts, shards, requests }: RequestEstimate): void {
  if (requests <= PLANNED_SUBREQUESTS) return;
  throw namedError(
    "InvalidInput",
    `shards: expected a reduction of at most ${PLANNED_SUBREQUESTS} requests to storage (of ${MAX_SUBREQUESTS} that an invocation has), got one of ${requests} (${parts} parts of ${shards} shards); take fewer shards`,
  );
}
