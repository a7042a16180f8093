/** matMul against its definition in float64, on both builds of the kernels. */
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { TOLERANCE, worstDifference } from "./compare.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import relaxed from "../../../shared/tensor/kernels/kernels-relaxed.wasm";
import simd from "../../../shared/tensor/kernels/kernels-simd.wasm";

interface Shape {
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
}

/** The largest |got - definition| divided by the sum of |a b|, which is the usual bound of a product's rounding. */
function worstError(got: Float32Array, a: Float32Array, b: Float32Array, { m, n, k, transposeA, transposeB }: Shape): number {
  if (got.length !== m * n) return Infinity;
  let worst = 0;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0];
      for (let x = 0; x < k; x++) {
        const term = a[transposeA ? x * m + i : i * k + x]! * b[transposeB ? j * k + x : x * n + j]!;
        sum += term;
        size += Math.abs(term);
      }
      const error = Math.abs(got[i * n + j]! - sum) / size;
      // Math.max is not used here, because a comparison with NaN must fail.
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

const random = createRandom(1);
const values = (size: number) => Float32Array.from({ length: size }, () => normal(random));

function multiply(a: Float32Array, b: Float32Array, { m, n, k, transposeA, transposeB }: Shape): Float32Array {
  return tf.tidy(() => {
    const left = tf.tensor2d(a, transposeA ? [k, m] : [m, k]);
    return tf.matMul(left, tf.tensor2d(b, transposeB ? [n, k] : [k, n]), transposeA, transposeB).dataSync() as Float32Array;
  });
}

function errorOf(shape: Shape): number {
  const [a, b] = [values(shape.m * shape.k), values(shape.k * shape.n)];
  return worstError(multiply(a, b, shape), a, b, shape);
}

/** The worst error over all transpositions. */
function errorOfAll(m: number, n: number, k: number): number {
  const both = [false, true];
  return Math.max(...both.flatMap((transposeA) => both.map((transposeB) => errorOf({ m, n, k, transposeA, transposeB }))));
}

/** Item `index` of a batch that repeats after `count` items. */
function member(all: Float32Array, index: number, count: number): Float32Array {
  const length = all.length / count;
  return all.subarray((index % count) * length, (index % count) * length + length);
}

/** One, odd, prime, near multiples of the 6 x 8 microkernel, near vector widths. */
const size = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(12, 13, 31, 32, 33, 47, 65, 97));

/**
 * The difference between a product that is added to a matrix and the separate sum. The product in place must give the same
 * bits.
 */
function errorOfAdding(m: number, n: number, k: number, transposeA: boolean, transposeB: boolean): number {
  return tf.tidy(() => {
    const a = tf.tensor2d(values(m * k), transposeA ? [k, m] : [m, k]);
    const b = tf.tensor2d(values(k * n), transposeB ? [n, k] : [k, n]);
    const addend = tf.tensor2d(values(m * n), [m, n]);
    const run = (kernel: string) => tf.engine().runKernel(kernel, { a, b, addend }, { transposeA, transposeB });
    const want = tf.add(addend, tf.matMul(a, b, transposeA, transposeB)).dataSync<"float32">();
    const got = (run("MatMulAdd") as tf.Tensor).dataSync<"float32">();
    run("MatMulAddInPlace");
    expect(addend.dataSync()).toEqual(got);
    return worstDifference([got], [want]);
  });
}

describe.each([
  ["relaxed SIMD", relaxed],
  ["plain SIMD", simd],
])("matMul, %s", (_, build) => {
  beforeAll(() => useKernels(build));

  test("equals the definition over shapes and transpositions", () => {
    fc.assert(
      fc.property(size, size, size, fc.boolean(), fc.boolean(), (m, n, k, transposeA, transposeB) => {
        expect(errorOf({ m, n, k, transposeA, transposeB })).toBeLessThan(1e-6);
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  // A block of B has at most 384 columns and 65,536 numbers. These sizes are just above, or give several blocks and a rest.
  test.each([
    [7, 385, 257],
    [2, 300, 1000],
    [65, 30, 800],
    [1, 513, 385],
    [14, 1, 391],
    // Large and even sizes: Strassen's algorithm with partial micro-panels, with several blocks, and with columns after the
    // last whole block. If only A is transposed, the last three are computed as their transpose: in one block, or in two
    // blocks of which the second has more rows.
    [128, 128, 128],
    [134, 144, 130],
    [130, 400, 172],
    [256, 128, 514],
    [404, 132, 128],
    [640, 128, 512],
  ])("equals the definition across blocks and quadrants: [%i, k] x [k, %i], k = %i", (m, n, k) => {
    expect(errorOfAll(m, n, k)).toBeLessThan(1e-6);
  });

  test("multiplies batches, and one matrix with every member of a batch", () => {
    const batches = fc.constantFrom([3, 3], [3, 1], [1, 3]);
    fc.assert(
      fc.property(batches, size, size, size, fc.boolean(), fc.boolean(), ([aBatch, bBatch], m, n, k, transposeA, transposeB) => {
        const [a, b] = [values(aBatch! * m * k), values(bBatch! * k * n)];
        const before = tf.memory().numTensors;
        const got = tf.tidy(() => {
          const left = tf.tensor3d(a, transposeA ? [aBatch!, k, m] : [aBatch!, m, k]);
          const right = tf.tensor3d(b, transposeB ? [bBatch!, n, k] : [bBatch!, k, n]);
          return tf.matMul(left, right, transposeA, transposeB).dataSync() as Float32Array;
        });
        expect(tf.memory().numTensors).toBe(before);
        for (let index = 0; index < 3; index++) {
          const error = worstError(member(got, index, 3), member(a, index, aBatch!), member(b, index, bBatch!), {
            m,
            n,
            k,
            transposeA,
            transposeB,
          });
          expect(error).toBeLessThan(1e-6);
        }
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test.each([
    [128, 128, 128],
    [134, 144, 130],
    [256, 128, 514],
    [272, 400, 300],
  ])("adds to a matrix of %i x %i by quadrants, over %i", (m, n, k) => {
    for (const transposeA of [false, true])
      for (const transposeB of [false, true]) expect(errorOfAdding(m, n, k, transposeA, transposeB)).toBeLessThanOrEqual(TOLERANCE);
  });

  test("adds to a matrix, into a new matrix and in place", () => {
    const any = fc.oneof(size, fc.constantFrom(128, 129, 144, 300, 391));
    fc.assert(
      fc.property(any, any, fc.oneof(any, fc.constant(0)), fc.boolean(), fc.boolean(), (...shape) => {
        expect(errorOfAdding(...shape)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
    const [two, three] = [tf.ones([2, 2]), tf.ones([3, 3])];
    const wrong = () => tf.engine().runKernel("MatMulAdd", { a: two, b: two, addend: three }, { transposeA: false, transposeB: false });
    expect(wrong).toThrow("expected an addend [2,2], got [3,3]");
    tf.dispose([two, three]);
  });

  test("gives the same bits after any earlier products", () => {
    const shape = { m: 65, n: 33, k: 97, transposeA: true, transposeB: false };
    const [a, b] = [values(65 * 97), values(97 * 33)];
    const first = multiply(a, b, shape);
    errorOf({ m: 129, n: 301, k: 500, transposeA: true, transposeB: true });
    expect(multiply(a, b, shape)).toEqual(first);
  });

  test.each(["linear", "relu", "relu6", "elu", "sigmoid", "leakyrelu"] as const)("fuses a bias and %s", (activation) => {
    const before = { ...tf.memory() };
    tf.tidy(() => {
      const [a, b, bias] = [tf.tensor2d(values(15), [3, 5]), tf.tensor2d(values(35), [7, 5]), tf.tensor1d(values(7))];
      const plain = tf.add(tf.matMul(a, b, false, true), bias);
      const want = { relu: tf.relu, relu6: tf.relu6, elu: tf.elu, sigmoid: tf.sigmoid, leakyrelu: tf.leakyRelu, linear: tf.clone }[
        activation
      ];
      const got = tf.fused.matMul({ a, b, transposeB: true, bias, activation });
      expect(tf.max(tf.abs(tf.sub(got, want(plain)))).dataSync()[0]).toBeLessThan(1e-6);
    });
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
  });

  test("a product with inner size 0 is zero", () => {
    expect(tf.tidy(() => [...tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3])).dataSync()])).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

test("refuses batches that do not fit", () => {
  expect(() => tf.tidy(() => tf.matMul(tf.zeros([2, 3, 4, 4]), tf.zeros([3, 2, 4, 4])))).toThrow(/2,3.*3,2/);
});

test("sums rows of equal ids, which is the gradient of gather", () => {
  const sums = tf.tidy(() =>
    tf.unsortedSegmentSum(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]), tf.tensor1d([1, 0, 1], "int32"), 3).arraySync(),
  );
  expect(sums).toEqual([
    [3, 4],
    [6, 8],
    [0, 0],
  ]);
});
