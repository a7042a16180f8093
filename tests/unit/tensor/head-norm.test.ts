/** Norm and rotation of heads in one kernel against the two definitions one after the other. */
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/backend.ts";
import { arrayOf, onHeap, tensorOf } from "../../../shared/tensor/heap-array.ts";
import { headNorm, headNormBack } from "../../../shared/tensor/in-place.ts";
import * as reference from "../../../shared/tensor/reference.ts";
import { BUILDS, normals, TOLERANCE, valueAndGradients, worstDifference, type Op, type Values } from "./compare.ts";

const EPSILON = 1e-3;
const THETA = 100;

type Sizes = [batch: number, length: number, heads: number, width: number];

const plain: Op = (x, weight) => reference.rotary(reference.rmsNorm(x!, weight!, EPSILON) as tf.Tensor4D, THETA, 0);

/** Value, then the gradients of x and of the weight, for the dy of `valueAndGradients`. */
function fused(x: Values, weight: Values): Float32Array[] {
  const shape = x.shape as Sizes;
  const heads = shape[0] * shape[1] * shape[2];
  return tf.tidy(() =>
    onHeap(() => {
      const [flat, scale] = [arrayOf(x.values).shaped([heads / shape[2], shape[2] * shape[3]]), arrayOf(weight.values)];
      const { normed, inverse } = headNorm(flat, scale, shape, EPSILON, THETA);
      const dy = arrayOf(normals(shape, 99).values).shaped(shape);
      const dweight = headNormBack(flat, scale, inverse, dy, THETA);
      return [normed, dy, dweight].map((array) => tensorOf(array).dataSync() as Float32Array);
    }),
  );
}

describe.each(BUILDS)("norm and rotation of heads, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  // Heads of a multiple of eight numbers, a multiple of four of them, which one kernel takes, and others, which two do.
  test("equal the definitions in value and gradients over shapes", async () => {
    const sizes = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(1, 2, 5, 64, 70),
      fc.constantFrom(1, 2, 3, 4, 8),
      fc.constantFrom(2, 6, 8, 16, 24, 32, 62),
    );
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (shape, seed) => {
        const inputs = [normals(shape, seed), normals([shape[3]], seed + 1)] as const;
        const expected = await valueAndGradients("cpu", plain, [...inputs]);
        expect(worstDifference(fused(...inputs), expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 80 },
    );
  });
});
