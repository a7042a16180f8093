/** Examples that are pairs of conversations (preferences/records.ts): two sequences each, the better one first. */
import { conversationsOf, pairNumbers, referencesOf } from "../../preferences/records.ts";
import type { Batch } from "../../model/backward/pass.ts";
import type { Examples } from "./objective.ts";
import { conversationBatch } from "./sft.ts";

const countOf = (stream: number, context: number) => Math.floor(stream / pairNumbers(context));

/** The conversations of pairs as one batch, with the assistant's tokens as labels and the log-probabilities of the reference model. */
export function pairBatch(records: readonly Uint16Array[], context: number): Batch {
  const batch = conversationBatch(
    records.flatMap((record) => conversationsOf(record, context)),
    context,
  );
  return { ...batch, references: Float32Array.from(records.flatMap((record) => referencesOf(record, context))) };
}

export const pairExamples: Examples = {
  tokens: ({ context }) => 2 * context,
  trainingCount: (stream, { context }) => countOf(stream, context),
  validationCount: (stream, { context }) => countOf(stream, context),
  recordLength: ({ context }) => pairNumbers(context),
  recordStart: (example, { context }) => example * pairNumbers(context),
  batch: (records, { context }) => pairBatch(records, context),
  validationWeight: (stream, { slice, slices }, { context }) => Math.max(0, Math.ceil((countOf(stream, context) - slice) / slices)),
};
