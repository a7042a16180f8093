/** Examples that are pairs of conversations (preferences/records.ts): two sequences each, the better one first. */
import { conversationsOf, pairNumbers, referencesOf } from "../../preferences/records.ts";
import type { Batch } from "../../model/backward/pass.ts";
import type { Examples } from "./objective.ts";
import { recordExamples } from "./records.ts";
import { conversationBatch } from "./sft.ts";

/** The conversations of pairs as one batch, with the assistant's tokens as labels and the log-probabilities of the reference model. */
export function pairBatch(records: readonly Uint16Array[], context: number): Batch {
  const batch = conversationBatch(
    records.flatMap((record) => conversationsOf(record, context)),
    context,
  );
  return { ...batch, references: Float32Array.from(records.flatMap((record) => referencesOf(record, context))) };
}

export const pairExamples: Examples = {
  ...recordExamples(({ context }) => pairNumbers(context)),
  tokens: ({ context }) => 2 * context,
  batch: (records, { context }) => pairBatch(records, context),
};
