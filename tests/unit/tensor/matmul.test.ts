import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { startBackend } from "../../../shared/tensor/backend.ts";

beforeAll(startBackend);

/** Row-major product in float64, the definition. */
function product(a: Float32Array, b: Float32Array, m: number, n: number, k: number, transposeA: boolean, transposeB: boolean): number[] {
  return Array.from({ length: m * n }, (_, index) => {
    const [i, j] = [Math.floor(index / n), index % n];
    let sum = 0;
    for (let x = 0; x < k; x++) sum += a[transposeA ? x * m + i : i * k + x]! * b[transposeB ? j * k + x : x * n + j]!;
    return sum;
  });
}

describe("matMul", () => {
  const random = createRandom(1);
  const values = (size: number) => Float32Array.from({ length: size }, () => normal(random));
  const shapes = [
    [1, 1, 1],
    [3, 5, 7],
    [4, 8, 16],
    [13, 17, 29],
    [33, 65, 64],
    [64, 9, 128],
  ] as const;
  for (const [m, n, k] of shapes) {
    for (const [transposeA, transposeB] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ] as const) {
      test(`[${m}, ${k}] x [${k}, ${n}], transposed ${transposeA}/${transposeB}, equals the definition`, () => {
        const [a, b] = [values(m * k), values(k * n)];
        const got = tf.tidy(() =>
          tf
            .matMul(tf.tensor2d(a, transposeA ? [k, m] : [m, k]), tf.tensor2d(b, transposeB ? [n, k] : [k, n]), transposeA, transposeB)
            .dataSync(),
        );
        const expected = product(a, b, m, n, k, transposeA, transposeB);
        const scale = Math.sqrt(k);
        for (const [index, value] of expected.entries()) expect(Math.abs(got[index]! - value) / scale).toBeLessThan(1e-5);
      });
    }
  }

  test("adds up rows of equal ids, which is the gradient of gather", () => {
    const sums = tf.tidy(() =>
      tf.unsortedSegmentSum(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]), tf.tensor1d([1, 0, 1], "int32"), 3).arraySync(),
    );
    expect(sums).toEqual([
      [3, 4],
      [6, 8],
      [0, 0],
    ]);
  });
});
