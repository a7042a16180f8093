/**
 * Loss curves of fused and plain ops on a small model. The bench compares the preset itself, which takes half a minute: `npm
 * run bench -- curve`.
 */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { largestGap, lossCurve, syntheticTokens, type CurveSetting } from "../../../scripts/bench/workers/curve/loss-curve.ts";
import { presetOf } from "../../../shared/config.ts";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import { usePlainOps } from "../../../shared/tensor/ops.ts";
import { BUILDS } from "./compare.ts";

const { model, training } = presetOf("shakespeare-char");
const SMALL = { ...model, vocabSize: 33, width: 32, mlpWidth: 44, layers: 2, heads: 4, kvHeads: 2, headWidth: 8, context: 16 };
const SETTING: CurveSetting = { model: SMALL, optimizer: training.optimizer, batch: 6, steps: 50 };

describe.each(BUILDS)("fused ops, %s", (_, module) => {
  beforeAll(() => useKernels(module));
  afterAll(() => usePlainOps(false));

  test("train 50 steps with the losses of the plain ops and leave no tensor behind", () => {
    const tokens = syntheticTokens(5000, SMALL.vocabSize);
    const before = tf.memory().numTensors;
    usePlainOps(true);
    const plain = lossCurve(SETTING, tokens);
    usePlainOps(false);
    const fused = lossCurve(SETTING, tokens);
    expect(tf.memory().numTensors).toBe(before);
    // Two different implementations round differently. Equal bits would mean that the same implementation ran twice.
    expect(fused).not.toEqual(plain);
    expect(largestGap(fused, plain)).toBeLessThanOrEqual(1e-3);
    expect(fused.at(-1)).toBeLessThan(fused[0]! - 0.5);
  });
});
