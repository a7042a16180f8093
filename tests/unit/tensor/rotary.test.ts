import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { rotary } from "../../../shared/tensor/ops.ts";
import * as reference from "../../../shared/tensor/reference.ts";
import {
  BUILDS,
  DIFFERENCE_TOLERANCE,
  TOLERANCE,
  finiteDifferenceError,
  normals,
  worstDifference,
  valueAndGradients,
  type Op,
} from "./compare.ts";

const fused =
  (theta: number, offset: number): Op =>
  (x) =>
    rotary(x as tf.Tensor4D, theta, offset);
const plain =
  (theta: number, offset: number): Op =>
  (x) =>
    reference.rotary(x as tf.Tensor4D, theta, offset);

describe.each(BUILDS)("rotary, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  // There are more (width, theta) pairs than cached tables, in any order, and offsets for which a table must grow.
  test("equals the definition in value and gradient over shapes, thetas and offsets", async () => {
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(1, 2, 5, 13, 70),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(2, 4, 6, 8, 14, 16, 32, 62),
    );
    await fc.assert(
      fc.asyncProperty(
        shape,
        fc.constantFrom(100, 10_000, 1e6),
        fc.constantFrom(0, 1, 63, 64, 150),
        fc.nat(),
        async (sizes, theta, offset, seed) => {
          const inputs = [normals(sizes, seed)];
          const got = await valueAndGradients("wasm", fused(theta, offset), inputs);
          const expected = await valueAndGradients("cpu", plain(theta, offset), inputs);
          expect(worstDifference(got, expected)).toBeLessThanOrEqual(TOLERANCE);
        },
      ),
      { seed: 1, numRuns: 60 },
    );
  });

  test("has the gradient that finite differences give", async () => {
    expect(await finiteDifferenceError(fused(100, 3), [normals([2, 3, 2, 10], 1)])).toBeLessThan(DIFFERENCE_TOLERANCE);
  });

  test("one position at an offset equals the same position of a longer sequence, as decoding needs", () => {
    const { values } = normals([1, 9, 2, 8], 5);
    const [whole, last] = tf.tidy(() => {
      const x = tf.tensor4d(values, [1, 9, 2, 8]);
      return [rotary(x, 100).dataSync().slice(-16), rotary(tf.slice(x, [0, 8, 0, 0], [1, 1, 2, 8]), 100, 8).dataSync()];
    }) as [Float32Array, Float32Array];
    expect(last).toEqual(whole);
  });

  test("refuses an odd width and a position that does not exist", () => {
    expect(() => tf.tidy(() => rotary(tf.ones([1, 2, 1, 5]), 100))).toThrow("got [1,2,1,5]");
    expect(() => tf.tidy(() => rotary(tf.ones([1, 2, 1, 4]), 100, -1))).toThrow("got -1");
  });
});
