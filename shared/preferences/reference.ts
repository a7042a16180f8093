/** The log-probabilities of a reference model, computed once and written into the records. */
import type { ModelConfig } from "../config.ts";
import type { Weights } from "../model/weights.ts";
import { pairBatch } from "../training/objectives/pairs.ts";
import { logProbabilities } from "../training/objectives/preference-head.ts";
import { pairNumbers, setReferences } from "./records.ts";

/** Pairs per pass of the network. */
const REFERENCE_BATCH = 8;

/** The records of a stream, as views. */
export function recordsOf(numbers: Uint16Array, context: number): Uint16Array[] {
  const size = pairNumbers(context);
  return Array.from({ length: Math.floor(numbers.length / size) }, (_, index) => numbers.subarray(index * size, (index + 1) * size));
}

/** Writes the log-probabilities of a model into all records of a stream. */
export function writeReferences(weights: Weights, model: ModelConfig, numbers: Uint16Array): void {
  const records = recordsOf(numbers, model.context);
  for (let first = 0; first < records.length; first += REFERENCE_BATCH) {
    const some = records.slice(first, first + REFERENCE_BATCH);
    const values = logProbabilities(weights, model, pairBatch(some, model.context));
    for (const [index, record] of some.entries()) setReferences(record, model.context, [values[2 * index]!, values[2 * index + 1]!]);
  }
}

/**
 * For each pair, by how many nats the model prefers the better answer more than the reference does. Above 0, the pair is a win of the
 * model over its reference.
 */
export function marginsOf(weights: Weights, model: ModelConfig, numbers: Uint16Array): number[] {
  const margins: number[] = [];
  const records = recordsOf(numbers, model.context);
  for (let first = 0; first < records.length; first += REFERENCE_BATCH) {
    const batch = pairBatch(records.slice(first, first + REFERENCE_BATCH), model.context);
    const ratios = logProbabilities(weights, model, batch).map((value, index) => value - batch.references![index]!);
    for (let index = 0; index < ratios.length; index += 2) margins.push(ratios[index]! - ratios[index + 1]!);
  }
  return margins;
}
