/** Fused products of one matrix with two or three other matrices, against separate products, on both builds of the kernels. */
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { allocated, arrayOf, onHeap, tensorOf, type HeapBuffer } from "../../../shared/tensor/engine/buffer.ts";
import { fusedLinear, fusedWeightGrads } from "../../../shared/tensor/in-place.ts";
import { BUILDS, normals, onceForBuilds, TOLERANCE, worstDifference, type Values } from "./compare.ts";

interface Sizes {
  rows: number;
  width: number;
  /** The columns of the two or three other matrices. */
  columns: number[];
}

type Few<T> = [T, T, T?];

const onCpu = async (product: (x: tf.Tensor, other: tf.Tensor) => tf.Tensor, x: Values, others: Values[]): Promise<Float32Array[]> => {
  await tf.setBackend("cpu");
  const results = tf.tidy(() => {
    const [left, ...rest] = [x, ...others].map(({ values, shape }) => tf.tensor(values, shape)) as [tf.Tensor, ...tf.Tensor[]];
    return rest.map((other) => product(left, other).dataSync() as Float32Array);
  });
  await tf.setBackend("wasm");
  return results;
};

const ours = (product: (x: HeapBuffer, others: Few<HeapBuffer>) => readonly (HeapBuffer | undefined)[], x: Values, others: Values[]) =>
  tf.tidy(() =>
    onHeap(() => {
      const [left, ...rest] = [x, ...others].map(({ values, shape }) => arrayOf(values).shaped(shape)) as [HeapBuffer, ...HeapBuffer[]];
      return product(left, rest as Few<HeapBuffer>).map((array) => tensorOf(array!).dataSync() as Float32Array);
    }),
  );

const once = onceForBuilds<Float32Array[]>();

async function worst({ rows, width, columns }: Sizes, seed: number): Promise<number> {
  const x = normals([rows, width], seed);
  const weights = columns.map((count, index) => normals([count, width], seed + 1 + index));
  const dys = columns.map((count, index) => normals([rows, count], seed + 4 + index));
  const forward = worstDifference(
    ours(fusedLinear, x, weights),
    await once(["forward", columns, rows, width, seed], () => onCpu((left, other) => tf.matMul(left, other, false, true), x, weights)),
  );
  // The numbers by which RMSNorm multiplies x. Any numbers will do.
  const [inverse, scale] = [normals([rows], seed + 7), normals([width], seed + 8)];
  const weightGrad = (left: tf.Tensor, other: tf.Tensor) => {
    const normed = tf.mul(tf.mul(left, tf.tensor(inverse.values, [rows, 1])), tf.tensor(scale.values));
    return tf.matMul(other, normed, true, false);
  };
  const back = worstDifference(
    ours((left, others) => fusedWeightGrads(others, left, arrayOf(scale.values), arrayOf(inverse.values)), x, dys),
    await once(["back", columns, rows, width, seed], () => onCpu(weightGrad, x, dys)),
  );
  return Math.max(forward, back);
}

describe.each(BUILDS)("fused products that share a matrix, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equal separate products over shapes", async () => {
    const sizes = fc.record({
      rows: fc.constantFrom(1, 3, 8, 65),
      width: fc.constantFrom(1, 5, 16, 33),
      columns: fc.array(fc.constantFrom(1, 2, 7, 8, 24), { minLength: 2, maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (some, seed) => {
        expect(await worst(some, seed)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  test.each([
    ["as of the presets", { rows: 768, width: 128, columns: [128, 128, 128] }],
    ["two", { rows: 256, width: 128, columns: [128, 128] }],
    ["of unequal width", { rows: 128, width: 256, columns: [160, 128] }],
    ["in several parts along k, with partial micro-panels", { rows: 256, width: 384, columns: [128, 144] }],
    ["rows that no part divides", { rows: 700, width: 132, columns: [128, 128] }],
    ["more columns than a block", { rows: 256, width: 128, columns: [256, 256] }],
    ["one too narrow", { rows: 256, width: 128, columns: [128, 64, 128] }],
    ["each transposed, as of the presets", { rows: 768, width: 128, columns: [352, 352] }],
    ["each transposed, with a part and a block that are too small", { rows: 700, width: 128, columns: [400, 256, 256] }],
    ["an odd number of rows", { rows: 131, width: 128, columns: [128, 128] }],
  ])("equal separate products with large enough and too small quadrants: %s", async (__, sizes) => {
    expect(await worst(sizes, 1)).toBeLessThanOrEqual(TOLERANCE);
  });

  test("refuse matrices that do not fit", () => {
    onHeap(() => {
      const [x, fits, other] = [allocated([4, 3]), allocated([2, 3]), allocated([2, 4])];
      expect(() => fusedLinear(x, [fits, other])).toThrow("FusedProjection: expected weights [O, 3], got [2,4]");
      const [scale, inverse] = [allocated([3]), allocated([4])];
      expect(() => fusedWeightGrads([allocated([4, 2]), fits], x, scale, inverse)).toThrow(
        "FusedWeightGrads: expected each dy [4, O], got [2,3]",
      );
    });
  });
});
