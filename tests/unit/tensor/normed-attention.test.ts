/** Fused norm, rotation and attention of heads, against the separate definitions. */
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { arrayOf, onHeap, tensorOf, type HeapBuffer } from "../../../shared/tensor/engine/buffer.ts";
import { attend, attendBack } from "../../../shared/tensor/in-place.ts";
import * as reference from "../../../shared/tensor/reference.ts";
import { BUILDS, normals, onceForBuilds, TOLERANCE, valueAndGradients, worstDifference, type Op, type Values } from "./compare.ts";

const EPSILON = 1e-3;
const THETA = 100;

const rotated = (x: tf.Tensor, weight: tf.Tensor) => reference.rotary(reference.rmsNorm(x, weight, EPSILON) as tf.Tensor4D, THETA, 0);
const plain: Op = (q, k, v, qWeight, kWeight) => reference.causalAttention(rotated(q!, qWeight!), rotated(k!, kWeight!), v as tf.Tensor4D);

const once = onceForBuilds<Float32Array[]>();

/** The value, then the gradients of all inputs, for the dy of `valueAndGradients`. */
function fused(inputs: readonly Values[]): Float32Array[] {
  const [batch, length] = inputs[0]!.shape as [number, number];
  const flat = ({ values, shape }: Values) => arrayOf(values).shaped(shape.length === 1 ? shape : [batch * length, shape[2]! * shape[3]!]);
  return tf.tidy(() =>
    onHeap(() => {
      const [q, k, v, qWeight, kWeight] = inputs.map(flat) as [HeapBuffer, HeapBuffer, HeapBuffer, HeapBuffer, HeapBuffer];
      const operands = { q, k, v, qWeight, kWeight };
      const attributes = { batch, epsilon: EPSILON, theta: THETA };
      const { mixed, statistics } = attend(operands, attributes);
      const dy = flat(normals(inputs[0]!.shape, 99));
      const { dqWeight, dkWeight } = attendBack({ ...operands, out: mixed, statistics, dy }, attributes);
      return [mixed, q, k, v, dqWeight, dkWeight].map((array) => tensorOf(array).dataSync() as Float32Array);
    }),
  );
}

describe.each(BUILDS)("norm, rotation and attention of heads, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  // If the number of heads is a multiple of four and their width a multiple of eight, four heads are handled at a time;
  // otherwise single heads.
  test("equal the definitions in value and gradients over shapes", async () => {
    const sizes = fc.record({
      batch: fc.integer({ min: 1, max: 3 }),
      length: fc.constantFrom(1, 2, 5, 64, 70),
      kvHeads: fc.constantFrom(1, 2, 4),
      group: fc.integer({ min: 1, max: 2 }),
      width: fc.constantFrom(2, 6, 8, 16, 24, 32, 62),
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async ({ batch, length, kvHeads, group, width }, seed) => {
        const keys = [batch, length, kvHeads, width];
        const shapes = [[batch, length, kvHeads * group, width], keys, keys, [width], [width]];
        const inputs = shapes.map((shape, index) => normals(shape, seed + index));
        const expected = await once([shapes, seed], () => valueAndGradients("cpu", plain, inputs));
        expect(worstDifference(fused(inputs), expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 80 },
    );
  });

  // The scores of normed heads of 32 numbers are at most 5.7 times the product of the largest weights. Above 60, softmax looks
  // for the largest score. Above 88, the exponential would overflow without the largest score.
  test.each([1, 3, 3.2, 3.3, 4, 40])("equal the definitions for weights of %d, with and without bounded scores", async (weight) => {
    const shapes = [
      [2, 20, 4, 32],
      [2, 20, 2, 32],
      [2, 20, 2, 32],
    ];
    const [q, k, v] = shapes.map((shape, index) => normals(shape, index));
    const weights = { shape: [32], values: new Float32Array(32).fill(weight) };
    // All queries and keys are equal except for their rotations, so scores come near their bound.
    const alike = { ...q!, values: q!.values.map((_value, index) => 1 + q!.values[index % 32]! / 10) };
    for (const queries of [q!, alike]) {
      const keys = { ...k!, values: k!.values.map((value, index) => (queries === q ? value : alike.values[index % 32]!)) };
      const inputs = [queries, keys, v!, weights, weights];
      const [actual, expected] = [fused(inputs), await valueAndGradients("cpu", plain, inputs)];
      expect(worstDifference(actual, expected)).toBeLessThanOrEqual(TOLERANCE * weight ** 2);
    }
  });
});
