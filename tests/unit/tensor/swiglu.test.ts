import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { swiglu } from "../../../shared/tensor/ops.ts";
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

const fused: Op = (gate, up) => swiglu(gate as tf.Tensor2D, up as tf.Tensor2D);
const plain: Op = (gate, up) => reference.swiglu(gate as tf.Tensor2D, up as tf.Tensor2D);

describe.each(BUILDS)("swiglu, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equals the definition in value and gradients over shapes", async () => {
    const size = fc.constantFrom(...SIZES);
    await fc.assert(
      fc.asyncProperty(size, size, fc.nat(), async (rows, width, seed) => {
        const inputs = [normals([rows, width], seed), normals([rows, width], seed + 1)];
        const got = await valueAndGradients("wasm", fused, inputs);
        const expected = await valueAndGradients("cpu", plain, inputs);
        expect(worstDifference(got, expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test("has the gradients that finite differences give", async () => {
    expect(await finiteDifferenceError(fused, [normals([3, 7], 1), normals([3, 7], 2)])).toBeLessThan(DIFFERENCE_TOLERANCE);
  });

  // For g far below 0, silu(g) is g exp(g), so a value's relative error is that of the kernels' exponential.
  test("has an exponential that is right to 5e-7 of each value from e^-87 to e^87, with one or four lanes", () => {
    const gates = Float32Array.from({ length: 17_403 }, (__, index) => -87 + index / 100);
    const ones = new Float32Array(gates.length).fill(1);
    const got = tf.tidy(() => swiglu(tf.tensor2d(gates, [1, gates.length]), tf.tensor2d(ones, [1, gates.length])).dataSync());
    const worst = gates.reduce((largest, gate, at) => {
      const expected = gate / (1 + Math.exp(-gate));
      return expected === 0 ? largest : Math.max(largest, Math.abs(got[at]! / expected - 1));
    }, 0);
    expect(worst).toBeLessThan(5e-7);
  });

  test("stays finite for gates beyond the exponential's range and passes NaN on", () => {
    const gates = [-Infinity, -1e30, -200, 200, 1e30, Number.NaN, 0];
    const [out, gradient] = tf.tidy(() => {
      const up = tf.ones<tf.Rank.R2>([1, 7]);
      const gate = tf.tensor2d(gates, [1, 7]);
      return [
        swiglu(gate, up).dataSync(),
        tf
          .grad((x) => swiglu(x as tf.Tensor2D, up))(gate)
          .dataSync(),
      ];
    }) as [Float32Array, Float32Array];
    expect(Math.abs(out[1]!)).toBeLessThan(1e-5);
    expect(Math.abs(out[2]!)).toBeLessThan(1e-30);
    expect([out[3], out[6]]).toEqual([200, 0]);
    expect(out[4]! / 1e30).toBeCloseTo(1, 6);
    expect(out[5]).toBeNaN();
    expect([gradient[3], gradient[6]]).toEqual([1, 0.5]);
  });

  test("refuses a gate and an up of different shapes", () => {
    expect(() => tf.tidy(() => swiglu(tf.ones([2, 3]), tf.ones([3, 2])))).toThrow("got [2,3] and [3,2]");
  });
});
