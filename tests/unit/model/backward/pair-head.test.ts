/** A loss head that is not cross-entropy over a vocabulary: one score per sequence, and one loss per pair of sequences. */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../../shared/config.ts";
import { lossAndGradients, lossSum } from "../../../../shared/model/backward/loss.ts";
import type { Batch, LossHead } from "../../../../shared/model/backward/pass.ts";
import { createRandom, normal } from "../../../../shared/model/random.ts";
import { weightShapes, type ShapedName, type Weights } from "../../../../shared/model/weights.ts";
import { arrayOf, dispose, numberOf } from "../../../../shared/tensor/engine/buffer.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import * as op from "../../../../shared/tensor/in-place.ts";
import { crossEntropy, linear, rmsNorm } from "../../../../shared/tensor/ops.ts";

const SCORE = "score.weight";
const NORM = "model.norm.weight";

/** The scored rows: in each sequence, the row whose label is 0. */
const scoredRows = ({ labels }: Batch) => [...labels.keys()].filter((row) => labels[row] === 0);

/** -log sigmoid(first - second) for each pair of sequences. This is cross-entropy over the two scores. */
const pairHead: LossHead = {
  group: 2,
  weightOf: ({ sequences }) => sequences / 2,
  define(weights, { normEpsilon }, hidden, batch) {
    const rows = tf.gather(hidden, tf.tensor1d(scoredRows(batch), "int32"));
    const scores = linear(rmsNorm(rows, weights[NORM]!, normEpsilon), weights[SCORE] as tf.Tensor2D);
    const pairs = batch.sequences / 2;
    return crossEntropy(tf.reshape(scores, [pairs, 2]), tf.zeros([pairs], "int32"));
  },
  open(weights, { normEpsilon }, { batch, scale }) {
    const total = arrayOf(new Float32Array(1));
    const all = scoredRows(batch);
    const [norm, score] = [weights[NORM]!, weights[SCORE]!];
    return {
      back(hidden, firstRow, onGradient) {
        const count = hidden.shape[0]!;
        const scored = all.map((row) => row - firstRow).filter((row) => row >= 0 && row < count);
        const ids = arrayOf(Int32Array.from(scored));
        const labels = arrayOf(new Int32Array(scored.length / 2));
        const rows = op.gatherRows(hidden, ids);
        hidden.dispose();
        const { normed, inverse } = op.norm(rows, norm, normEpsilon);
        const scores = op.linear(normed, score); // [B, 1]
        const pairs = scores.view([scored.length / 2, 2]);
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

const CONFIG: ModelConfig = {
  vocabSize: 19,
  width: 8,
  mlpWidth: 12,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  headWidth: 4,
  context: 100,
  ropeTheta: 100,
  normEpsilon: 1e-2,
  tiedEmbeddings: false,
};
const [SEQUENCES, LENGTH] = [6, 90];
const BATCH: Batch = {
  inputs: Int32Array.from({ length: SEQUENCES * LENGTH }, (_, index) => (index * 7 + (index >> 4)) % 19),
  // Conversations of unequal length: each is scored at another position.
  labels: Int32Array.from({ length: SEQUENCES * LENGTH }, (_, row) => (row % LENGTH === 40 + 7 * Math.floor(row / LENGTH) ? 0 : -1)),
  sequences: SEQUENCES,
};

function someWeights(): Weights {
  const random = createRandom(3);
  const shapes: ShapedName[] = [...weightShapes(CONFIG).filter(([name]) => name !== "lm_head.weight"), [SCORE, [1, CONFIG.width]]];
  return Object.fromEntries(
    shapes.map(([name, shape]) => {
      const center = name.includes("norm") ? 1 : 0;
      return [
        name,
        tf.tensor(
          Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => center + 0.4 * normal(random)),
          shape,
        ),
      ];
    }),
  );
}

function values(passes?: Parameters<typeof lossAndGradients>[4]): Record<string, number[]> {
  const weights = someWeights();
  const before = tf.memory().numTensors;
  const { loss, gradients } = lossAndGradients(weights, CONFIG, BATCH, pairHead, passes);
  const { lossSum: sum, targets } = lossSum(weights, CONFIG, BATCH, pairHead);
  expect(targets).toBe(3);
  const found = Object.entries(gradients).map(([name, tensor]) => [name, [...tensor.dataSync()]] as const);
  tf.dispose(gradients);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose(weights);
  return { ...Object.fromEntries(found), loss: [loss], lossSum: [sum / targets] };
}

function expectClose(got: Record<string, number[]>, expected: Record<string, number[]>): void {
  expect(Object.keys(got)).toEqual(Object.keys(expected));
  const scale = Math.max(...Object.values(expected).flat().map(Math.abs));
  for (const [name, wanted] of Object.entries(expected)) {
    const worst = Math.max(...wanted.map((value, at) => Math.abs(value - got[name]![at]!)));
    expect({ name, isClose: worst <= 1e-5 * scale }).toEqual({ name, isClose: true });
  }
}

describe("a head of pairs", () => {
  beforeAll(startBackend);

  test("has the gradients of its definition, in one pass, in several passes, and with recomputed activations", async () => {
    await tf.setBackend("cpu");
    const expected = values();
    await tf.setBackend("wasm");
    expect(Math.max(...expected[SCORE]!.map(Math.abs))).toBeGreaterThan(1e-3);
    expectClose(values(), expected);
    expectClose(values({ sequences: 2, recompute: false }), expected);
    // Three chunks of 256 positions would split a pair of 180 positions. So chunks hold whole pairs.
    expectClose(values({ sequences: 6, recompute: true }), expected);
    expectClose(values({ sequences: 4, recompute: true }), expected);
  });
});
