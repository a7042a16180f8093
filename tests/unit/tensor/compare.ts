/**
 * Shared by the tests of fused ops: both builds of the kernels, and the value and the gradients of an op on a backend. The
 * expected results come from the definitions of reference.ts on tfjs's own cpu backend, which uses none of our kernels.
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { expect } from "vitest";
import { createRandom, normal } from "../../../shared/model/random.ts";
import relaxed from "../../../shared/tensor/kernels/kernels-relaxed.wasm";
import simd from "../../../shared/tensor/kernels/kernels-simd.wasm";

export const BUILDS: readonly (readonly [name: string, module: WebAssembly.Module])[] = [
  ["relaxed SIMD", relaxed],
  ["plain SIMD", simd],
];

/** Sizes around the kernels' four lanes: one, odd, prime, and multiples of four. */
export const SIZES = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 32, 65] as const;

export interface Values {
  values: Float32Array;
  shape: number[];
}

/** Normally distributed numbers from a seed. */
export function normals(shape: number[], seed: number): Values {
  const random = createRandom(seed);
  return { values: Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => normal(random)), shape };
}

/** An op of any number of tensors. Integer inputs are in its closure. */
export type Op = (...inputs: tf.Tensor[]) => tf.Tensor;

/** The value of `op` and its gradient for each input, with a normally distributed dy. Asserts that no tensor is left. */
export async function valueAndGradients(backend: "wasm" | "cpu", op: Op, inputs: Values[]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const results = tf.tidy(() => {
    const tensors = inputs.map(({ values, shape }) => tf.tensor(values, shape));
    const value = op(...tensors);
    const dy = tf.tensor(normals(value.shape, 99).values, value.shape);
    return [value, ...tf.grads(op)(tensors, dy)].map((tensor) => tensor.dataSync() as Float32Array);
  });
  expect(tf.memory().numTensors).toBe(before);
  await tf.setBackend("wasm");
  return results;
}

/**
 * Computes the expected result of each case only once. Both builds of the kernels are tested with the same cases, and the
 * definitions are slow.
 */
export function onceForBuilds<T>(): (sizes: unknown, compute: () => Promise<T>) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (sizes, compute) => {
    const name = JSON.stringify(sizes);
    const result = known.get(name) ?? compute();
    known.set(name, result);
    return result;
  };
}

/** The tolerance of a value and of each gradient, as a share of the largest expected number. */
export const TOLERANCE = 1e-5;

/** The largest difference in all results. Each result's scale is its largest expected number, or 1 if that is smaller. */
export function worstDifference(got: Float32Array[], expected: Float32Array[]): number {
  expect(got.map((values) => values.length)).toEqual(expected.map((values) => values.length));
  let worst = 0;
  for (const [index, want] of expected.entries()) {
    const scale = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    for (const [at, value] of want.entries()) {
      const difference = Math.abs(got[index]![at]! - value) / scale;
      // A NaN must not pass as a small difference.
      if (Number.isNaN(difference)) return difference;
      worst = Math.max(worst, difference);
    }
  }
  return worst;
}

/** The tolerance of central differences: the rounding of float32 values, divided by a step of 1e-2. */
export const DIFFERENCE_TOLERANCE = 2e-3;

/** The largest relative error of the gradients against central differences, along one random direction per input. */
export async function finiteDifferenceError(op: Op, inputs: Values[]): Promise<number> {
  const [value, ...gradients] = await valueAndGradients("wasm", op, inputs);
  const dy = normals([value!.length], 99).values;
  const step = 1e-2;
  const errors: number[] = [];
  for (const [index, input] of inputs.entries()) {
    const direction = normals(input.shape, 7 + index).values;
    const along = (signed: number): number => {
      const moved = { shape: input.shape, values: input.values.map((x, at) => x + signed * direction[at]!) };
      const out = tf.tidy(() => op(...inputs.map((each, at) => tf.tensor((at === index ? moved : each).values, each.shape))).dataSync());
      return Float32Array.from(out).reduce((sum, y, at) => sum + y * dy[at]!, 0);
    };
    const numeric = (along(step) - along(-step)) / (2 * step);
    const analytic = gradients[index]!.reduce((sum, g, at) => sum + g * direction[at]!, 0);
    errors.push(Math.abs(numeric - analytic) / Math.max(1, Math.abs(analytic)));
  }
  return Math.max(...errors);
}
