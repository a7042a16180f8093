import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { PRESETS } from "../../../../shared/config.ts";
import { clipByGlobalNorm, createOptimizer, learningRateScale } from "../../../../shared/training/compute/optimizer.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../../shared/model/formats/safetensors.ts";
import { arraysOf, tensorsOf } from "../../../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";

beforeAll(startBackend);

const ADAMW = { name: "adamw", lr: 0.1, beta1: 0.5, beta2: 0.5, epsilon: 1e-12, weightDecay: 0.5 } as const;
const matrix = (values: number[]): Weights => ({ "lm_head.weight": tf.tensor2d(values, [1, values.length]) });

describe("schedule and clipping", () => {
  test("warms up, stays constant, and falls linearly over the last share", () => {
    const scales = Array.from({ length: 8 }, (_, step) => learningRateScale({ warmupSteps: 2, decay: 0.5 }, step, 8));
    expect(scales).toEqual([0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
  });

  test("scales gradients to the norm only if they exceed the norm", () => {
    const clipped = clipByGlobalNorm({ a: tf.tensor1d([3]), b: tf.tensor1d([4]) }, 1);
    expect(clipped.norm).toBeCloseTo(5, 5);
    expect(clipped.gradients["a"]!.dataSync()[0]).toBeCloseTo(0.6, 6);
    expect(clipByGlobalNorm(clipped.gradients, 2).gradients).toBe(clipped.gradients);
    expect(clipByGlobalNorm(clipped.gradients, 0).gradients).toBe(clipped.gradients);
    tf.dispose(clipped.gradients);
  });
});

describe("AdamW", () => {
  test("follows two steps computed by hand, with weight decay separate from the gradient", () => {
    // Step 1, g = 2: m = 1, v = 2, corrected 2 and 4; w = 1 * 0.95 - 0.1 * 2 / 2 = 0.85.
    // Step 2, g = 1: m = 1, v = 1.5, corrected 4/3 and 2; w = 0.85 * 0.95 - 0.1 * 0.9428090 = 0.7132191.
    const optimizer = createOptimizer(ADAMW);
    const start = matrix([1]);
    const one = optimizer.update(matrix([2]), optimizer.init(start), start, 1);
    expect(one.weights["lm_head.weight"]!.dataSync()[0]).toBeCloseTo(0.85, 6);
    const two = optimizer.update(matrix([1]), one.state, one.weights, 1);
    expect(two.weights["lm_head.weight"]!.dataSync()[0]).toBeCloseTo(0.7132191, 6);
  });
});

const make = (): Weights => ({ "x_proj.weight": tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]), "lm_head.weight": tf.tensor2d([1, 2], [1, 2]) });
const copy = (weights: Weights) => tensorsOf(decodeSafetensors(encodeSafetensors(arraysOf(weights))));

test("a restored state continues with the same bits, and updates leave only their results in memory", () => {
  const optimizer = createOptimizer(PRESETS["small"]!.training.optimizer);
  const before = tf.memory().numTensors;
  const first = make();
  const one = optimizer.update(make(), optimizer.init(first), first, 1);
  const restored = { weights: copy(one.weights), state: copy(one.state) };
  const straight = optimizer.update(make(), one.state, one.weights, 0.5);
  const resumed = optimizer.update(make(), restored.state, restored.weights, 0.5);
  expect(arraysOf(resumed.weights)).toEqual(arraysOf(straight.weights));
  expect(arraysOf(resumed.state)).toEqual(arraysOf(straight.state));
  // Each of the two results has two weights and four state tensors, one of which is the step.
  expect(tf.memory().numTensors).toBe(before + 2 * (2 + 4));
  tf.dispose([straight, resumed]);
  expect(tf.memory().numTensors).toBe(before);
});
