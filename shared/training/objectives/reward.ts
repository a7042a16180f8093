/**
 * The reward model: a decoder that gives one score to a conversation, in place of probabilities. It learns from pairs: the loss is
 * -log sigmoid(score of the better - score of the worse), which makes the difference of two scores the log-odds that people prefer the
 * first (Bradley and Terry, 1952; arXiv:2203.02155).
 *
 * Each token of the answer gets a score, and the answer gets their mean. Usually only the last token is scored. With a mean every token
 * tells the network what it did to the score, so fewer pairs suffice.
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
import { HIGH_SPIKE, noMetrics } from "./records.ts";
import { paddedBatch } from "./sft.ts";

const NORM = "model.norm.weight";

/** Conversations as sequences. Label 0 marks the tokens of the answers, which are scored. */
export function scoredBatch(conversations: readonly Uint16Array[], context: number): Batch {
  const longest = Math.max(1, ...conversations.map(pairsOf));
  return paddedBatch(conversations, longest, context, (record, place) => (record[place + 1] === 1 ? 0 : -1));
}

const examples: Examples = {
  ...pairExamples,
  batch: (records, { context }) =>
    scoredBatch(
      records.flatMap((record) => conversationsOf(record, context)),
      context,
    ),
};

/** The scored rows of some sequences, and the matrix [sequences, rows] that takes the mean of each sequence's rows. */
interface Scored {
  rows: Int32Array;
  means: Float32Array;
  sequences: number;
}

/** Of the sequences in `count` rows from `firstRow` on. The numbers of the rows begin at `firstRow`. */
function scoredOf(batch: Batch, firstRow = 0, count = batch.labels.length): Scored {
  const length = lengthOf(batch);
  const sequences = count / length;
  const rows = Array.from({ length: count }, (_, row) => row).filter((row) => batch.labels[firstRow + row] === 0);
  const means = new Float32Array(sequences * rows.length);
  for (let sequence = 0; sequence < sequences; sequence++) {
    const isOwn = (row: number) => Math.floor(row / length) === sequence;
    const own = rows.filter(isOwn).length;
    for (const [at, row] of rows.entries()) if (isOwn(row)) means[sequence * rows.length + at] = 1 / own;
  }
  return { rows: Int32Array.from(rows), means, sequences };
}

/** The scores of sequences [B, 1] with what the way back needs. The caller disposes them. */
interface Forward {
  ids: HeapBuffer;
  means: HeapBuffer;
  rows: HeapBuffer;
  normed: HeapBuffer;
  inverse: HeapBuffer;
  scores: HeapBuffer;
}

/** Consumes hidden [n, C]. */
function forward(weights: Weights, { normEpsilon }: ModelConfig, hidden: HeapBuffer, scored: Scored): Forward {
  const ids = arrayOf(scored.rows);
  const means = arrayOf(scored.means).shaped([scored.sequences, scored.rows.length]);
  const rows = op.gatherRows(hidden, ids);
  hidden.dispose();
  const { normed, inverse } = op.norm(rows, weights[NORM]!, normEpsilon);
  const each = op.linear(normed, weights[SCORE]!).shaped([1, scored.rows.length]);
  const scores = op.linear(means, each); // [B, 1]
  each.dispose();
  return { ids, means, rows, normed, inverse, scores };
}

/** Cross-entropy over the two scores of a pair, with the first as the right one, is -log sigmoid(first - second). */
const rewardHead: LossHead = {
  group: 2,
  weightOf: ({ sequences }) => sequences / 2,
  define(weights, model, hidden, batch) {
    const pairs = batch.sequences / 2;
    return crossEntropy(tf.reshape(definedScores(weights, model, hidden, batch), [pairs, 2]), tf.zeros([pairs], "int32"));
  },
  open(weights, model, { batch, scale }) {
    const total = arrayOf(new Float32Array(1));
    const [norm, score] = [weights[NORM]!, weights[SCORE]!];
    return {
      back(hidden, firstRow, onGradient) {
        const count = hidden.shape[0]!;
        const scored = scoredOf(batch, firstRow, count);
        const labels = arrayOf(new Int32Array(scored.sequences / 2));
        const { ids, means, rows, normed, inverse, scores } = forward(weights, model, hidden, scored);
        const pairs = scores.view([scored.sequences / 2, 2]);
        // Replaces the scores by their gradients.
        op.lossBack(pairs, { labels }, total, scale);
        dispose(pairs, labels);
        if (onGradient === null) {
          dispose(ids, means, rows, normed, inverse, scores);
          return null;
        }
        const each = op.linearWeightGrad(means, scores); // [n, 1]
        onGradient(SCORE, op.linearWeightGrad(each, normed));
        const drows = op.linearInputGrad(each, score);
        onGradient(NORM, op.normBack(rows, norm, inverse, drows));
        const dx = op.scatterAddRows(drows, ids, count);
        dispose(ids, means, rows, normed, scores, each, drows);
        return dx;
      },
      loss: () => numberOf(total),
    };
  },
};

/** hidden [N, C] -> the score of each sequence [B, 1], in plain ops */
function definedScores(weights: Weights, { normEpsilon }: ModelConfig, hidden: tf.Tensor2D, batch: Batch): tf.Tensor2D {
  const { rows, means, sequences } = scoredOf(batch);
  const normed = rmsNorm(tf.gather(hidden, tf.tensor1d(rows, "int32")), weights[NORM]!, normEpsilon);
  const each = linear(normed, weights[SCORE] as tf.Tensor2D);
  return tf.matMul(tf.tensor2d(means, [sequences, rows.length]), each);
}

/** The score of each sequence [B]. Needs the kernels. */
export function scoresOf(weights: Weights, model: ModelConfig, batch: Batch): number[] {
  const scores: number[] = [];
  const back = (hidden: HeapBuffer, firstRow: number): null => {
    const first = firstRow / lengthOf(batch);
    const found = forward(weights, model, hidden, scoredOf(batch, firstRow, hidden.shape[0]!));
    for (let index = 0; index < found.scores.shape[0]!; index++) {
      const one = found.scores.rows(index, 1);
      scores[first + index] = numberOf(one);
      one.dispose();
    }
    dispose(found.ids, found.means, found.rows, found.normed, found.inverse, found.scores);
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
  epochs: () => 1,
  spike: HIGH_SPIKE,
  metrics: noMetrics,
};
