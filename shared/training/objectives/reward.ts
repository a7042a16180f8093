/**
 * The reward model: a decoder that gives one score to a conversation, in place of probabilities. The score is read after the last
 * token of the answer. It learns from pairs: the loss is -log sigmoid(score of the better - score of the worse), which makes the
 * difference of two scores the log-odds that people prefer the first (Bradley and Terry, 1952; arXiv:2203.02155).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { pairsOf } from "../../lessons/records.ts";
import { passGradients } from "../../model/backward/gradients.ts";
import { lengthOf, type Batch, type LossHead, type OpenHead } from "../../model/backward/pass.ts";
import { SCORE, type Weights } from "../../model/weights.ts";
import { conversationsOf } from "../../preferences/records.ts";
import { arrayOf, dispose, numberOf, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { crossEntropy, linear, rmsNorm } from "../../tensor/ops.ts";
import type { Examples, Objective } from "./objective.ts";
import { pairExamples } from "./pairs.ts";

const NORM = "model.norm.weight";
/** The length of a batch is a multiple of this, so that only few different lengths occur. */
const LENGTH_STEP = 8;

/** Conversations as sequences. Label 0 marks the last token of each, where the score is read. */
export function scoredBatch(conversations: readonly Uint16Array[], context: number): Batch {
  const ends = conversations.map((record) => Math.max(1, Math.min(context, pairsOf(record))));
  const length = Math.min(context, Math.ceil(Math.max(...ends) / LENGTH_STEP) * LENGTH_STEP);
  const inputs = new Int32Array(conversations.length * length);
  const labels = new Int32Array(conversations.length * length).fill(-1);
  for (const [index, record] of conversations.entries()) {
    for (let position = 0; position < length; position++) inputs[index * length + position] = record[2 * position]!;
    labels[index * length + ends[index]! - 1] = 0;
  }
  return { inputs, labels, sequences: conversations.length };
}

const examples: Examples = {
  ...pairExamples,
  batch: (records, { context }) =>
    scoredBatch(
      records.flatMap((record) => conversationsOf(record, context)),
      context,
    ),
};

/** The rows with a score, among `count` rows from `firstRow` on. Their numbers begin at `firstRow`. */
function scoredRows({ labels }: Batch, firstRow = 0, count = labels.length): Int32Array {
  const rows = Array.from({ length: count }, (_, row) => row);
  return Int32Array.from(rows.filter((row) => labels[firstRow + row] === 0));
}

/** Cross-entropy over the two scores of a pair, with the first as the right one, is -log sigmoid(first - second). */
export const rewardHead: LossHead = {
  group: 2,
  weightOf: ({ sequences }) => sequences / 2,
  define(weights, model, hidden, batch) {
    const pairs = batch.sequences / 2;
    return crossEntropy(tf.reshape(definedScores(weights, model, hidden, batch), [pairs, 2]), tf.zeros([pairs], "int32"));
  },
  open(weights, { normEpsilon }, { batch, scale }) {
    const total = arrayOf(new Float32Array(1));
    const [norm, score] = [weights[NORM]!, weights[SCORE]!];
    return {
      back(hidden, firstRow, onGradient) {
        const count = hidden.shape[0]!;
        const ids = arrayOf(scoredRows(batch, firstRow, count));
        const sequences = ids.shape[0]!;
        const labels = arrayOf(new Int32Array(sequences / 2));
        const rows = op.gatherRows(hidden, ids);
        hidden.dispose();
        const { normed, inverse } = op.norm(rows, norm, normEpsilon);
        const scores = op.linear(normed, score); // [B, 1]
        const pairs = scores.view([sequences / 2, 2]);
        op.lossBack(pairs, { labels }, total, scale);
        dispose(pairs, labels);
        if (onGradient === null) {
          dispose(ids, rows, normed, inverse, scores);
          return null;
        }
        onGradient(SCORE, op.linearWeightGrad(scores, normed));
        const drows = op.linearInputGrad(scores, score);
        onGradient(NORM, op.normBack(rows, norm, inverse, drows));
        const dx = op.scatterAddRows(drows, ids, count);
        dispose(ids, rows, normed, scores, drows);
        return dx;
      },
      loss: () => numberOf(total),
    };
  },
};

/** hidden [N, C] -> the score of each sequence [B, 1], in plain ops */
function definedScores(weights: Weights, { normEpsilon }: ModelConfig, hidden: tf.Tensor2D, batch: Batch): tf.Tensor2D {
  const rows = tf.gather(hidden, tf.tensor1d(scoredRows(batch), "int32"));
  return linear(rmsNorm(rows, weights[NORM]!, normEpsilon), weights[SCORE] as tf.Tensor2D);
}

/** The score of each sequence [B]. Needs the kernels. */
export function scoresOf(weights: Weights, model: ModelConfig, batch: Batch): number[] {
  const scores: number[] = [];
  const [norm, score] = [weights[NORM]!, weights[SCORE]!];
  const length = lengthOf(batch);
  const back = (hidden: HeapBuffer, firstRow: number): null => {
    const ids = arrayOf(scoredRows(batch, firstRow, hidden.shape[0]!));
    const rows = op.gatherRows(hidden, ids);
    hidden.dispose();
    const { normed, inverse } = op.norm(rows, norm, model.normEpsilon);
    const found = op.linear(normed, score);
    for (let index = 0; index < ids.shape[0]!; index++) {
      const one = found.rows(index, 1);
      scores[firstRow / length + index] = numberOf(one);
      one.dispose();
    }
    dispose(ids, rows, normed, inverse, found);
    return null;
  };
  const open = (): OpenHead => ({ back, loss: () => 0 });
  passGradients(weights, model, { batch, lossHead: { ...rewardHead, group: 1, open }, scale: 1, recompute: true }, null);
  return scores;
}

export const reward: Objective = {
  name: "reward",
  datasetKind: "preferences",
  examples,
  lossHead: rewardHead,
  // Pairs that the model cannot tell apart have a loss many times above the others. Such a round is no divergence.
  spike: { ratio: 5, floor: 1 },
  metrics: () => ({ unigramLoss: null, trigramLoss: null, bitsPerByte: null }),
};
