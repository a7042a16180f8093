/**
 * Supervised fine-tuning: predict the tokens that an assistant wrote in a conversation, from all tokens before them. An
 * example is a padded record (lessons/records.ts). A batch is as long as its longest conversation.
 *
 * The loss of a conversation is minus the log-probability of its answers, a sum over tokens, and a batch's loss is the mean
 * over conversations. A mean over a conversation's tokens would weigh short answers more than long ones, and so teach wrong
 * probabilities; a mean over a batch's tokens would make the result depend on how a batch is divided among shards.
 */
import * as tf from "@tensorflow/tfjs-core";
import { pairsOf, recordNumbers } from "../../lessons/records.ts";
import { crossEntropyHead } from "../../model/backward/cross-entropy-head.ts";
import type { LossHead } from "../../model/backward/pass.ts";
import type { Examples, Objective } from "./objective.ts";

/** Batches have a length of this many positions or a multiple, so that there are few lengths. */
const LENGTH_STEP = 8;

const countOf = (stream: number, context: number) => Math.floor(stream / recordNumbers(context));

const examples: Examples = {
  // A whole record, however short its conversation is: a budget says how many conversations are read.
  tokens: ({ context }) => context,
  trainingCount: (stream, { context }) => countOf(stream, context),
  validationCount: (stream, { context }) => countOf(stream, context),
  recordLength: ({ context }) => recordNumbers(context),
  recordStart: (example, { context }) => example * recordNumbers(context),
  batch(records, { context }) {
    const longest = Math.max(2, ...records.map(pairsOf));
    const length = Math.min(context, Math.ceil((longest - 1) / LENGTH_STEP) * LENGTH_STEP);
    const inputs = new Int32Array(records.length * length);
    const labels = new Int32Array(records.length * length).fill(-1);
    for (const [index, record] of records.entries()) {
      for (let position = 0; position < length; position++) {
        inputs[index * length + position] = record[2 * position]!;
        if (record[2 * position + 3] === 1) labels[index * length + position] = record[2 * position + 2]!;
      }
    }
    return { inputs, labels, sequences: records.length };
  },
  validationWeight: (stream, { slice, slices }, { context }) => Math.max(0, Math.ceil((countOf(stream, context) - slice) / slices)),
};

/** Cross-entropy with the number of conversations as the divisor. */
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
  // Answers that a model knows have a loss near zero, of which an answer that it does not know is a high multiple.
  spike: { ratio: 5, floor: 1 },
  metrics: () => ({ unigramLoss: null, trigramLoss: null, bitsPerByte: null }),
};
