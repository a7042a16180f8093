/**
 * Predicts the storage requests of a reduction. A reduction is one invocation, and the platform limits its requests. A run above
 * the limit could not finish its first round, so it is refused before it starts.
 */
import type { TrainingConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { namedError } from "../../errors.ts";
import { MAX_SUBREQUESTS, PLANNED_SUBREQUESTS } from "../../limits.ts";
import { partition } from "../formats/partition.ts";
import { isKept } from "./kept-model.ts";

export interface RequestEstimate {
  parts: number;
  shards: number;
  requests: number;
}

/** Returns an upper bound for a reduction without failed requests. */
export function estimateReduction(model: NetworkConfig, { shards, steps, clipNorm, compression }: TrainingConfig): RequestEstimate {
  const parts = partition(model).length;
  // Exact rounds with clipping first read all parts once more, to compute the global norm.
  const passes = steps === 1 && clipNorm > 0 && parts > 1 ? 2 : 1;
  // States of larger models are checked when they are submitted, each in an invocation of its own.
  const hasStates = steps > 1 || compression !== "float32";
  const states = hasStates && isKept(model) ? 1 : 0;
  // Weights and optimizer state of the coordinator. Each part costs up to four requests: get, put, and if it exists, head and
  // put again.
  const own = 2 * parts * 4;
  const manifest = 3;
  return { parts, shards, requests: parts * shards * (passes + states) + own + manifest };
}

/** Throws InvalidInput with the estimate and a remedy if one invocation cannot finish the reduction. */
export function checkReduction({ parts, shards, requests }: RequestEstimate): void {
  if (requests <= PLANNED_SUBREQUESTS) return;
  throw namedError(
    "InvalidInput",
    `shards: expected a reduction of at most ${PLANNED_SUBREQUESTS} storage requests (of an invocation's ${MAX_SUBREQUESTS}), got ${requests} (${parts} parts of ${shards} shards); take fewer shards`,
  );
}
