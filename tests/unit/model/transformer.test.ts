import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelConfig, OptimizerConfig } from "../../../shared/config.ts";
import { crossEntropyHead } from "../../../shared/model/backward/cross-entropy-head.ts";
import { lossAndGradients, lossSum } from "../../../shared/model/backward/loss.ts";
import type { Batch } from "../../../shared/model/backward/pass.ts";
import { createOptimizer } from "../../../shared/training/compute/optimizer.ts";
import { orthogonalize } from "../../../shared/training/compute/optimizer-plain.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { initWeights, parameterCount, type Weights } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

beforeAll(startBackend);

const CONFIG: ModelConfig = {
  vocabSize: 11,
  width: 8,
  mlpWidth: 12,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headWidth: 4,
  context: 5,
  ropeTheta: 100,
  normEpsilon: 1e-6,
  tiedEmbeddings: false,
};
const BATCH: Batch = {
  inputs: Int32Array.from([1, 2, 3, 4, 5, 10, 9, 8, 7, 6]),
  labels: Int32Array.from([2, 3, 4, 5, -1, 9, 8, 7, 6, 0]),
  sequences: 2,
};
const WEIGHTED: Batch = { ...BATCH, rowWeights: Float32Array.from([1, 0, 2.5, 0.25, 3, 1, 1, 0, 0.5, 4]) };

/** Weights without zeros, so no gradient is zero for a trivial reason. */
function noisyWeights(): Weights {
  const random = createRandom(5);
  return Object.fromEntries(
    Object.entries(initWeights(CONFIG, 1)).map(([name, tensor]) => {
      const noise = Float32Array.from({ length: tensor.size }, () => 0.3 * normal(random));
      const result = tf.add(tensor, tf.tensor(noise, tensor.shape));
      tensor.dispose();
      return [name, result];
    }),
  );
}

/** True if the values are in the range that three steps reach for singular values from 0.002 to 1. */
const areNearOne = (values: number[]) => values.every((value) => value > 0.17 && value < 1.83);

describe("the decoder", () => {
  test("starts at the loss of a uniform guess", () => {
    const weights = initWeights(CONFIG, 3);
    const { loss, gradients } = lossAndGradients(weights, CONFIG, BATCH, crossEntropyHead);
    expect(loss).toBeCloseTo(Math.log(CONFIG.vocabSize), 5);
    expect(parameterCount(CONFIG)).toBe(Object.values(weights).reduce((sum, tensor) => sum + tensor.size, 0));
    tf.dispose([weights, gradients]);
  });

  test.each([
    ["rows that count alike", BATCH],
    ["a weight per row", WEIGHTED],
  ])("has the gradients that finite differences give, for every parameter: %s", (_, batch) => {
    const weights = noisyWeights();
    const { gradients } = lossAndGradients(weights, CONFIG, batch, crossEntropyHead);
    const step = 1e-2;
    const lossWith = (changed: Weights) => {
      const { lossSum: sum, targets } = lossSum(changed, CONFIG, batch, crossEntropyHead);
      return sum / targets;
    };
    for (const [name, tensor] of Object.entries(weights)) {
      // One random direction per parameter: its directional derivative depends on every entry of the gradient.
      const random = createRandom(name.length * 31);
      const direction = Float32Array.from({ length: tensor.size }, () => normal(random));
      const [up, down] = [step, -step].map((amount) => {
        const moved = tf.tidy(() => tf.add(tensor, tf.mul(tf.tensor(direction, tensor.shape), amount)));
        const loss = lossWith({ ...weights, [name]: moved });
        moved.dispose();
        return loss;
      }) as [number, number];
      const expected = (up - down) / (2 * step);
      const got = (gradients[name]!.dataSync() as Float32Array).reduce((sum, value, index) => sum + value * direction[index]!, 0);
      // With this step, central differences in float32 are exact to about 1e-3 of the derivative and 1e-4 absolute.
      const tolerance = 2e-2 * Math.abs(expected) + 5e-4;
      expect({ name, close: Math.abs(got - expected) < tolerance }).toEqual({ name, close: true });
    }
    tf.dispose([weights, gradients]);
  });

  test("leaves no tensors behind", () => {
    const weights = noisyWeights();
    const before = tf.memory().numTensors;
    tf.dispose(lossAndGradients(weights, CONFIG, WEIGHTED, crossEntropyHead).gradients);
    lossSum(weights, CONFIG, WEIGHTED, crossEntropyHead);
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(weights);
  });
});

const one = (value: number): Weights => ({ "model.norm.weight": tf.tensor1d([value]) });

describe("optimizers", () => {
  test("AdamW's first step moves by the learning rate against the sign of the gradient", () => {
    const config: OptimizerConfig = { name: "adamw", lr: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-12, weightDecay: 0 };
    const optimizer = createOptimizer(config);
    const result = optimizer.update(one(3), optimizer.init(one(1)), one(1), 1);
    expect(result.weights["model.norm.weight"]!.dataSync()[0]).toBeCloseTo(0.9, 6);
  });

  test("Nesterov follows two steps computed by hand", () => {
    // lr 0.7, momentum 0.9, gradient 1: m = 1, w = 0 - 0.7 (0.9 + 1) = -1.33; m = 1.9, w -= 0.7 (1.71 + 1) = 1.897.
    const optimizer = createOptimizer({ name: "nesterov", lr: 0.7, momentum: 0.9 });
    const first = optimizer.update(one(1), optimizer.init(one(0)), one(0), 1);
    expect(first.weights["model.norm.weight"]!.dataSync()[0]).toBeCloseTo(-1.33, 5);
    const second = optimizer.update(one(1), first.state, first.weights, 1);
    expect(second.weights["model.norm.weight"]!.dataSync()[0]).toBeCloseTo(-3.227, 5);
  });

  test("Newton-Schulz brings singular values between 0.002 and 1 near one: wide, tall and of rank one", () => {
    // The singular values of a diagonal matrix are its diagonal. The norm of this matrix is 1.12.
    const given = [1, 0.5, 0.1, 0.05, 0.01, 0.0025];
    const wide = tf.tidy(
      () =>
        tf.pad(tf.diag(tf.tensor1d(given)) as tf.Tensor2D, [
          [0, 0],
          [0, 3],
        ]) as tf.Tensor2D,
    );
    expect(areNearOne(tf.tidy(() => orthogonalize(wide).arraySync()).map((row, index) => row[index]!))).toBe(true);
    expect(
      areNearOne(
        tf
          .tidy(() => orthogonalize(tf.transpose(wide)).arraySync())
          .slice(0, given.length)
          .map((row, index) => row[index]!),
      ),
    ).toBe(true);
    expect(areNearOne([tf.tidy(() => tf.norm(orthogonalize(tf.ones([5, 7]))).dataSync()[0]!)])).toBe(true);
    // For any matrix, the squares of the singular values bound the diagonal of y y^T.
    const random = createRandom(9);
    const x = tf.tensor2d(
      Float32Array.from({ length: 12 * 30 }, () => normal(random)),
      [12, 30],
    );
    const gram = tf.tidy(() => {
      const y = orthogonalize(x);
      return tf.matMul(y, y, false, true).arraySync() as number[][];
    });
    expect(areNearOne(gram.map((row, index) => Math.sqrt(row[index]!)))).toBe(true);
    tf.dispose([wide, x]);
  });
});
