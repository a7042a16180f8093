/**
 * Preference training: make the better of two answers more probable, relative to a reference model, than the worse one. The
 * log-probabilities of the reference model are in the records. The objectives differ in the loss of a pair:
 *
 * - dpo: -log sigmoid(BETA (better - worse)) (arXiv:2305.18290);
 * - ipo: (better - worse - 1 / (2 BETA))^2, which pulls the difference to a fixed size instead of to infinity (arXiv:2310.12036);
 * - kto: each answer for itself against a point of reference, which counts gains and losses with decreasing weight (arXiv:2402.01306).
 *
 * `better` and `worse` are log-ratios: the log-probability of an answer under the model minus that under the reference.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ObjectiveName } from "../../config.ts";
import type { Objective } from "./objective.ts";
import { pairExamples } from "./pairs.ts";
import { preferenceHead, type PairLoss } from "./preference-head.ts";
import { HIGH_SPIKE, noMetrics } from "./records.ts";

/** The strength of the pull to the reference model: the usual value of the papers. */
const BETA = 0.1;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** log(1 + exp(x)) without overflow. */
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const dpoLoss: PairLoss = {
  of(better, worse) {
    const margin = BETA * (better - worse);
    const slope = BETA * sigmoid(-margin);
    return { loss: softplus(-margin), better: -slope, worse: slope };
  },
  define: (better, worse) => tf.softplus(tf.mul(-BETA, tf.sub(better, worse))),
};

export const ipoLoss: PairLoss = {
  of(better, worse) {
    const excess = better - worse - 1 / (2 * BETA);
    return { loss: excess ** 2, better: 2 * excess, worse: -2 * excess };
  },
  define: (better, worse) => tf.square(tf.sub(tf.sub(better, worse), 1 / (2 * BETA))),
};

/** The values or 0, as constants without a gradient. */
const aboveZero = (values: tf.Tensor1D) => tf.tensor1d(values.dataSync().map((value) => Math.max(0, value)));

/**
 * The paper compares an answer with the divergence of the model from its reference, estimated over a batch. A batch is divided among
 * shards, so here the pair is the batch: each answer is compared with the log-ratio of the other one, if that is above 0. The
 * comparison has no gradient, as in the paper.
 */
export const ktoLoss: PairLoss = {
  of(better, worse) {
    const [gain, loss] = [sigmoid(BETA * (better - Math.max(0, worse))), sigmoid(BETA * (Math.max(0, better) - worse))];
    return {
      loss: 1 - (gain + loss) / 2,
      better: (-BETA * gain * (1 - gain)) / 2,
      worse: (BETA * loss * (1 - loss)) / 2,
    };
  },
  define(better, worse) {
    const gain = tf.sigmoid(tf.mul(BETA, tf.sub(better, aboveZero(worse))));
    const loss = tf.sigmoid(tf.mul(BETA, tf.sub(aboveZero(better), worse)));
    return tf.sub(1, tf.div(tf.add(gain, loss), 2));
  },
};

const preferenceObjective = (name: ObjectiveName, pairLoss: PairLoss): Objective => ({
  name,
  datasetKind: "preferences",
  examples: pairExamples,
  lossHead: preferenceHead(pairLoss),
  epochs: () => 1,
  spike: HIGH_SPIKE,
  metrics: noMetrics,
});

export const dpo = preferenceObjective("dpo", dpoLoss);
/** Its losses are squares of nats: 25 at first. */
export const ipo: Objective = { ...preferenceObjective("ipo", ipoLoss), spike: { ...HIGH_SPIKE, floor: 25 } };
export const kto = preferenceObjective("kto", ktoLoss);
