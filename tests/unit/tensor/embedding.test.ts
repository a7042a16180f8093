import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { createRandom } from "../../../shared/model/random.ts";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { embedding } from "../../../shared/tensor/ops.ts";
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

const withIds =
  (op: typeof embedding, ids: number[]): Op =>
  (weight) =>
    op(weight as tf.Tensor2D, tf.tensor1d(ids, "int32"));

describe.each(BUILDS)("embedding, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equals the definition in value and gradient over shapes, with repeated and unused ids", async () => {
    const size = fc.constantFrom(...SIZES);
    await fc.assert(
      fc.asyncProperty(size, size, size, fc.nat(), async (rows, width, count, seed) => {
        const inputs = [normals([rows, width], seed)];
        const random = createRandom(seed + 1);
        const ids = Array.from({ length: count }, () => Math.floor(random() * rows));
        const got = await valueAndGradients("wasm", withIds(embedding, ids), inputs);
        const expected = await valueAndGradients("cpu", withIds(reference.embedding, ids), inputs);
        expect(worstDifference(got, expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test("has the gradient that finite differences give", async () => {
    expect(await finiteDifferenceError(withIds(embedding, [2, 0, 2, 2]), [normals([4, 5], 1)])).toBeLessThan(DIFFERENCE_TOLERANCE);
  });

  test.each([
    ["the vocabulary's size", [0, 3], "expected ids of 0..2, got 3 at 1"],
    ["a negative id", [-1, 0], "expected ids of 0..2, got -1 at 0"],
    ["the largest integer", [0, 1, 2_147_483_647], "got 2147483647 at 2"],
  ])("refuses %s and leaves no tensor behind", (__, ids, message) => {
    const before = tf.memory().numTensors;
    const weight = tf.ones<tf.Rank.R2>([3, 2]);
    expect(() => tf.tidy(() => withIds(embedding, ids)(weight))).toThrow(message);
    weight.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("unsortedSegmentSum drops ids outside its rows instead of writing beyond them", () => {
    const sums = tf.tidy(() =>
      tf.unsortedSegmentSum(tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]), tf.tensor1d([1, -1, 1, 2], "int32"), 2).arraySync(),
    );
    expect(sums).toEqual([
      [0, 0],
      [6, 8],
    ]);
  });
});
