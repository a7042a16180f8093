import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { rmsNorm } from "../../../shared/tensor/ops.ts";
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

/** Keeps 1 / rms below 32, so a row of one small number does not enlarge the measured rounding errors. */
const EPSILON = 1e-3;

const fused: Op = (x, weight) => rmsNorm(x!, weight!, EPSILON);
const plain: Op = (x, weight) => reference.rmsNorm(x!, weight!, EPSILON);

describe.each(BUILDS)("rmsNorm, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equals the definition in value and gradients over shapes", async () => {
    const size = fc.constantFrom(...SIZES);
    await fc.assert(
      fc.asyncProperty(fc.array(size, { minLength: 0, maxLength: 2 }), size, fc.nat(), async (lead, width, seed) => {
        const inputs = [normals([...lead, width], seed), normals([width], seed + 1)];
        const got = await valueAndGradients("wasm", fused, inputs);
        const expected = await valueAndGradients("cpu", plain, inputs);
        expect(worstDifference(got, expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test("has the gradients that finite differences give", async () => {
    expect(await finiteDifferenceError(fused, [normals([3, 7], 1), normals([7], 2)])).toBeLessThan(DIFFERENCE_TOLERANCE);
    expect(await finiteDifferenceError(fused, [normals([2, 3, 2, 12], 3), normals([12], 4)])).toBeLessThan(DIFFERENCE_TOLERANCE);
  });

  test("gives the same bits twice", async () => {
    const inputs = [normals([31, 65], 1), normals([65], 2)];
    expect(await valueAndGradients("wasm", fused, inputs)).toEqual(await valueAndGradients("wasm", fused, inputs));
  });

  test("refuses a weight of another width", () => {
    expect(() => tf.tidy(() => rmsNorm(tf.ones([2, 3]), tf.ones([4]), EPSILON))).toThrow("got [2,3] and [4]");
  });
});
