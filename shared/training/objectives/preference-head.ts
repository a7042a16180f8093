/**
 * The loss head of preference training: the log-probabilities of whole answers, and a loss for each pair of them.
 *
 * Only rows with a label go through the output matrix. They go twice: forward for the log-probability of each answer, then forward and
 * backward with the pair's derivative as weight of the answer's rows. So the logits of a pair need not be kept.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { crossEntropyHead } from "../../model/backward/cross-entropy-head.ts";
import { passGradients } from "../../model/backward/gradients.ts";
import { lengthOf, type Batch, type LossHead, type OpenHead, type Pass } from "../../model/backward/pass.ts";
import { hiddenRows, logitsOf } from "../../model/transformer.ts";
import type { Weights } from "../../model/weights.ts";
import { arrayOf, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { isFused } from "../../tensor/ops.ts";

/** The loss of one pair, as a function of how much more probable the model makes each answer than its reference, in nats. */
export interface PairLoss {
  /** The loss and its derivatives. */
  of(better: number, worse: number): { loss: number; better: number; worse: number };
  /** The losses of pairs, better and worse [P] -> [P], in plain ops that tfjs can differentiate. */
  define(better: tf.Tensor1D, worse: tf.Tensor1D): tf.Tensor1D;
}

export function preferenceHead(pairLoss: PairLoss): LossHead {
  return {
    group: 2,
    weightOf: ({ sequences }) => sequences / 2,
    define(weights, model, hidden, batch) {
      const ratios = tf.sub(definedSums(weights, model, hidden, batch), tf.tensor1d(referencesIn(batch)));
      const [better, worse] = tf.unstack(tf.reshape(ratios, [batch.sequences / 2, 2]), 1) as [tf.Tensor1D, tf.Tensor1D];
      return tf.mean(pairLoss.define(better, worse));
    },
    open(weights, model, pass) {
      const references = referencesIn(pass.batch);
      let total = 0;
      return {
        back(hidden, firstRow, onGradient) {
          const answers = answersOf(pass.batch, firstRow, hidden.shape[0]!);
          const sums = sumsOf(weights, model, hidden, answers, pass);
          const first = firstRow / lengthOf(pass.batch);
          const factors: number[] = [];
          for (let at = 0; at < sums.length; at += 2) {
            const { loss, better, worse } = pairLoss.of(sums[at]! - references[first + at]!, sums[at + 1]! - references[first + at + 1]!);
            total += loss;
            factors.push(better, worse);
          }
          const dx = onGradient === null ? null : weightedBack(weights, model, hidden, answers, { pass, factors, onGradient });
          hidden.dispose();
          return dx;
        },
        loss: () => total * pass.scale,
      };
    },
  };
}

/** The log-probability of each sequence's labels, nats [B]. */
export function logProbabilities(weights: Weights, model: ModelConfig, batch: Batch): Float32Array {
  const sums = new Float32Array(batch.sequences);
  if (!isFused("AddInPlace")) {
    tf.tidy(() => {
      const hidden = hiddenRows(weights, model, tf.tensor1d(batch.inputs, "int32"), batch.sequences);
      sums.set(definedSums(weights, model, hidden, batch).dataSync());
    });
    return sums;
  }
  const open = (_: Weights, __: ModelConfig, pass: Pass): OpenHead => ({
    back(hidden, firstRow) {
      sums.set(sumsOf(weights, model, hidden, answersOf(batch, firstRow, hidden.shape[0]!), pass), firstRow / lengthOf(batch));
      hidden.dispose();
      return null;
    },
    loss: () => 0,
  });
  passGradients(weights, model, { batch, lossHead: { ...crossEntropyHead, open }, scale: 1, recompute: true }, null);
  return sums;
}

function referencesIn({ references, sequences }: Batch): Float32Array {
  if (references?.length === sequences) return references;
  throw new Error(
    `preferences: expected a reference log-probability for each of ${sequences} sequences, got ${references?.length ?? "none"}`,
  );
}

/** The rows with a label, for each sequence of some hidden rows. */
interface Answers {
  /** Positions in the hidden rows. */
  rows: number[][];
  labels: number[][];
}

function answersOf(batch: Batch, firstRow: number, count: number): Answers {
  const length = lengthOf(batch);
  const answers: Answers = { rows: [], labels: [] };
  for (let start = 0; start < count; start += length) {
    const rows = Array.from({ length }, (_, at) => start + at).filter((row) => batch.labels[firstRow + row] !== -1);
    answers.rows.push(rows);
    answers.labels.push(rows.map((row) => batch.labels[firstRow + row]!));
  }
  return answers;
}

/** hidden [n, C], which the caller keeps -> the log-probability of each sequence's labels */
function sumsOf(weights: Weights, model: ModelConfig, hidden: HeapBuffer, { rows, labels }: Answers, pass: Pass): number[] {
  const opened = rows.map((own, index) => {
    const head = crossEntropyHead.open(weights, model, { ...pass, batch: rowBatch(labels[index]!), scale: 1 });
    if (own.length > 0) head.back(gathered(hidden, own), 0, null);
    return head;
  });
  return opened.map((head) => -head.loss());
}

interface WeightedBack {
  pass: Pass;
  /** The derivative of the loss by each sequence's log-probability. */
  factors: readonly number[];
  onGradient: Parameters<OpenHead["back"]>[2];
}

/** hidden [n, C], which the caller keeps -> its gradient [n, C] */
function weightedBack(
  weights: Weights,
  model: ModelConfig,
  hidden: HeapBuffer,
  { rows, labels }: Answers,
  { pass, factors, onGradient }: WeightedBack,
): HeapBuffer {
  // Cross-entropy is minus a log-probability, so the signs of the factors change.
  const rowWeights = Float32Array.from(rows.flatMap((own, index) => own.map(() => -factors[index]!)));
  const head = crossEntropyHead.open(weights, model, { ...pass, batch: { ...rowBatch(labels.flat()), rowWeights } });
  const dx = head.back(gathered(hidden, rows.flat()), 0, onGradient)!;
  const ids = arrayOf(Int32Array.from(rows.flat()));
  const spread = op.scatterAddRows(dx, ids, hidden.shape[0]!);
  dx.dispose();
  ids.dispose();
  return spread;
}

/** Rows without their sequences: each has a label. The inputs are not read. */
const rowBatch = (labels: readonly number[]): Batch => ({
  inputs: new Int32Array(labels.length),
  labels: Int32Array.from(labels),
  sequences: 1,
});

function gathered(hidden: HeapBuffer, rows: readonly number[]): HeapBuffer {
  const ids = arrayOf(Int32Array.from(rows));
  const found = op.gatherRows(hidden, ids);
  ids.dispose();
  return found;
}

/** hidden [N, C] -> the log-probability of each sequence's labels [B], in plain ops */
function definedSums(weights: Weights, model: ModelConfig, hidden: tf.Tensor2D, { labels, sequences }: Batch): tf.Tensor1D {
  const logs = tf.logSoftmax(logitsOf(weights, model, hidden));
  const wanted = tf.oneHot(
    tf.tensor1d(
      labels.map((label) => Math.max(0, label)),
      "int32",
    ),
    model.vocabSize,
  );
  const isLabelled = tf.tensor1d(Float32Array.from(labels, (label) => (label === -1 ? 0 : 1)));
  const rows = tf.mul(tf.sum(tf.mul(logs, wanted), 1), isLabelled);
  return tf.sum(tf.reshape(rows, [sequences, labels.length / sequences]), 1);
}
