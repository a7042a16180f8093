/** What objectives share whose examples are records of equal length, one after the other. */
import type { NetworkConfig } from "../../network-config.ts";
import type { Examples, Metrics, Objective } from "./objective.ts";

type Places<M extends NetworkConfig> = Omit<Examples<M>, "tokens" | "batch">;

/** Example n is record n, and counts as one target. `length` is the length of a record in numbers. */
export function recordExamples<M extends NetworkConfig>(length: (model: M) => number): Places<M> {
  const count = (stream: number, model: M) => Math.floor(stream / length(model));
  return {
    trainingCount: count,
    validationCount: count,
    recordLength: length,
    recordStart: (example, model) => example * length(model),
    validationWeight: (stream, { slice, slices }, model) => Math.max(0, Math.ceil((count(stream, model) - slice) / slices)),
  };
}

/**
 * Answers, pairs and labels that the model knows have a loss near 0, and an unknown one has a loss many times higher. Such a jump is no
 * divergence, so the limit is high.
 */
export const HIGH_SPIKE: Objective["spike"] = { ratio: 5, floor: 1 };

/** Of an objective that shows nothing beside its loss. */
export const noMetrics = (): Metrics => ({ unigramLoss: null, trigramLoss: null, bitsPerByte: null });
