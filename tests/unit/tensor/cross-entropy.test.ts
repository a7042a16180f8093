import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../../../shared/model/random.ts";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { crossEntropy } from "../../../shared/tensor/ops.ts";
import * as reference from "../../../shared/tensor/reference.ts";
import {
  BUILDS,
  DIFFERENCE_TOLERANCE,
  TOLERANCE,
  finiteDifferenceError,
  normals,
  worstDifference,
  SIZES,
  valueAndGradients,
  type Op,
} from "./compare.ts";

type CrossEntropy = typeof crossEntropy;
const withLabels =
  (op: CrossEntropy, labels: number[]): Op =>
  (logits) =>
    op(logits as tf.Tensor2D, tf.tensor1d(labels, "int32"));

/** Labels below `vocab`. A quarter of them is -1, but never the first. */
function someLabels(rows: number, vocab: number, seed: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: rows }, (_, row) => (row > 0 && random() < 0.25 ? -1 : Math.floor(random() * vocab)));
}

describe.each(BUILDS)("crossEntropy, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equals the definition in value and gradient over shapes, ignored labels and large logits", async () => {
    const size = fc.constantFrom(...SIZES);
    await fc.assert(
      fc.asyncProperty(size, size, fc.constantFrom(1, 10, 100), fc.nat(), async (rows, vocab, scale, seed) => {
        const { values, shape } = normals([rows, vocab], seed);
        const inputs = [{ values: values.map((x) => x * scale), shape }];
        const labels = someLabels(rows, vocab, seed + 1);
        const got = await valueAndGradients("wasm", withLabels(crossEntropy, labels), inputs);
        const expected = await valueAndGradients("cpu", withLabels(reference.crossEntropy, labels), inputs);
        expect(worstDifference(got, expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test("has the gradient that finite differences give", async () => {
    expect(await finiteDifferenceError(withLabels(crossEntropy, [2, -1, 0, 6, 6]), [normals([5, 7], 1)])).toBeLessThan(
      DIFFERENCE_TOLERANCE,
    );
  });

  test("is the mean of -log p in float64, for a vocabulary of thousands", () => {
    const [rows, vocab] = [5, 4099];
    const { values } = normals([rows, vocab], 3);
    const labels = someLabels(rows, vocab, 4);
    const losses = labels.flatMap((label, row) => {
      if (label < 0) return [];
      const logits = values.subarray(row * vocab, (row + 1) * vocab);
      return [Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - logits[label]!];
    });
    const expected = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const got = tf.tidy(() => crossEntropy(tf.tensor2d(values, [rows, vocab]), tf.tensor1d(labels, "int32")).dataSync()[0]!);
    expect(Math.abs(got / expected - 1)).toBeLessThan(1e-6);
  });

  test("neither overflows nor loses a row with logits of 1e4 and of minus infinity", () => {
    const got = tf.tidy(() => {
      const logits = tf.tensor2d([1e4, 1e4, -1e4, -Infinity, 0, 0, 0, 0, 0, 0], [2, 5]);
      const labels = tf.tensor1d([1, 3], "int32");
      return [
        crossEntropy(logits, labels).dataSync()[0]!,
        ...tf
          .grad((x) => crossEntropy(x as tf.Tensor2D, labels))(logits)
          .dataSync(),
      ];
    });
    // Row 0: log 2, row 1: log 5; gradients are (p - onehot) / 2.
    const expected = [(Math.log(2) + Math.log(5)) / 2, 0.25, -0.25, 0, 0, 0, 0.1, 0.1, 0.1, -0.4, 0.1];
    for (const [index, value] of expected.entries()) expect(got[index]).toBeCloseTo(value, 6);
  });

  test("passes NaN on", () => {
    const labels = [0, 1];
    expect(tf.tidy(() => withLabels(crossEntropy, labels)(tf.tensor2d([1, Number.NaN, 2, 3], [2, 2])).dataSync()[0])).toBeNaN();
  });

  test.each([
    ["too large a label", [1, 0, 4], "expected labels of -1 (ignored) or 0..3, got 4 in row 2"],
    ["a label below -1", [1, -2, 0], "expected labels of -1 (ignored) or 0..3, got -2 in row 1"],
    ["the largest integer", [2_147_483_647, 0, 0], "got 2147483647 in row 0"],
    ["ignored labels only", [-1, -1, -1], "expected at least one label"],
    ["too few labels", [1, 2], "got [3,4]"],
  ])("refuses %s and leaves no tensor behind", (__, labels, message) => {
    const before = tf.memory().numTensors;
    const logits = tf.zeros<tf.Rank.R2>([3, 4]);
    expect(() => tf.tidy(() => tf.grad(withLabels(crossEntropy, labels))(logits))).toThrow(message);
    logits.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
