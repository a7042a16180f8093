/**
 * Supervised fine-tuning: predict the assistant's tokens in a conversation from all tokens before them. An example is a padded
 * record (lessons/records.ts). The longest conversation of a batch sets the batch's length.
 *
 * The loss of a conversation is the negative log-probability of its answers, summed over tokens. The loss of a batch is the mean
 * over its conversations. A mean over the tokens of a conversation would give short answers too much weight, so the model would
 * learn wrong probabilities. A mean over the tokens of a batch would depend on how a batch is divided among shards.
 */
import * as tf from "@tensorflow/tfjs-core";
import { pairsOf, recordNumbers } from "../../lessons/records.ts";
import { crossEntropyHead } from "../../model/backward/cross-entropy-head.ts";
import type { Batch, LossHead } from "../../model/backward/pass.ts";
import type { Examples, Objective } from "./objective.ts";
import { HIGH_SPIKE, noMetrics, recordExamples } from "./records.ts";

/** The length of a batch is a multiple of this, so that only few different lengths occur. */
const LENGTH_STEP = 8;

/**
 * Conversations as sequences of equal length, at least `longest`, with a label for each position or -1. `labelOf` gets a record and the
 * place of a position's token in it.
 */
export function paddedBatch(
  records: readonly Uint16Array[],
  longest: number,
  context: number,
  labelOf: (record: Uint16Array, place: number) => number,
): Batch {
  const length = Math.min(context, Math.ceil(longest / LENGTH_STEP) * LENGTH_STEP);
  const inputs = new Int32Array(records.length * length);
  const labels = new Int32Array(records.length * length);
  for (const [index, record] of records.entries()) {
    for (let position = 0; position < length; position++) {
      inputs[index * length + position] = record[2 * position]!;
      labels[index * length + position] = labelOf(record, 2 * position);
    }
  }
  return { inputs, labels, sequences: records.length };
}

/** The inputs of conversations, as long as the longest of them, and the assistant's tokens as labels. */
export function conversationBatch(records: readonly Uint16Array[], context: number): Batch {
  const longest = Math.max(2, ...records.map(pairsOf));
  return paddedBatch(records, longest - 1, context, (record, place) => (record[place + 3] === 1 ? record[place + 2]! : -1));
}

const examples: Examples = {
  ...recordExamples(({ context }) => recordNumbers(context)),
  // An example costs a whole record, even if its conversation is short. A token budget therefore fixes the number of
  // conversations.
  tokens: ({ context }) => context,
  batch: (records, { context }) => conversationBatch(records, context),
};

/** Cross-entropy divided by the number of conversations. */
export const conversationHead: LossHead = {
  ...crossEntropyHead,
  weightOf: ({ sequences }) => sequences,
  define: (weights, model, hidden, batch) =>
    tf.mul(crossEntropyHead.define(weights, model, hidden, batch), crossEntropyHead.weightOf(batch) / batch.sequences),
};

export const sft: Objective = {
  name: "sft",
  datasetKind: "sft",
  examples,
  lossHead: conversationHead,
  epochs: () => 1,
  spike: HIGH_SPIKE,
  metrics: noMetrics,
};
