/** The dense network in plain numbers. Gradients are compared with finite differences in double precision. */
import { describe, expect, test } from "vitest";
import { exp, log } from "../../../../shared/model/dense/exponential.ts";
import {
  addGradients,
  layerOutputs,
  softmax,
  zeroLayers,
  type DenseLayer,
  type DenseShape,
} from "../../../../shared/model/dense/network.ts";
import { createRandom, normal } from "../../../../shared/model/random.ts";

function randomLayers(shape: DenseShape, seed: number): DenseLayer[] {
  const random = createRandom(seed);
  const layers = zeroLayers(shape, Float64Array);
  for (const { weight, bias } of layers)
    for (const values of [weight, bias]) for (let at = 0; at < values.length; at++) values[at] = normal(random);
  return layers;
}

const SHAPES: readonly DenseShape[] = (["sigmoid", "relu"] as const).flatMap((activation) =>
  [[], [5], [7, 3], [4, 6, 5]].map((hidden) => ({ features: 16, hidden, labels: 4, activation })),
);
const EXAMPLES = [
  { active: [3, 9, 14], label: 2 },
  { active: [0], label: 0 },
  { active: [], label: 3 },
];

describe.each(SHAPES)("a dense network of $hidden units with $activation", (shape) => {
  test("has the gradients of finite differences, in every parameter", () => {
    const layers = randomLayers(shape, 7);
    const gradients = zeroLayers(shape, Float64Array);
    const lossOf = () => EXAMPLES.reduce((sum, example) => sum + 0.5 * addGradients(shape, layers, example, 1, null), 0);
    let loss = 0;
    for (const example of EXAMPLES) loss += 0.5 * addGradients(shape, layers, example, 0.5, gradients);
    expect(loss).toBe(lossOf());
    const step = 1e-6;
    for (const [index, layer] of layers.entries()) {
      for (const part of ["weight", "bias"] as const) {
        const values = layer[part];
        for (let at = 0; at < values.length; at++) {
          const before = values[at]!;
          values[at] = before + step;
          const above = lossOf();
          values[at] = before - step;
          const below = lossOf();
          values[at] = before;
          const slope = (above - below) / (2 * step);
          expect(Math.abs(gradients[index]![part][at]! - slope)).toBeLessThan(1e-7 * Math.max(1, Math.abs(slope)));
        }
      }
    }
  });

  test("gives probabilities that sum to 1, and activations within the range of their function", () => {
    for (const { active } of EXAMPLES) {
      const outputs = layerOutputs(shape, randomLayers(shape, 3), active);
      expect(outputs.map(({ length }) => length)).toEqual([...shape.hidden, shape.labels]);
      for (const hidden of outputs.slice(0, -1))
        for (const value of hidden) expect(value >= 0 && (shape.activation === "relu" || value <= 1)).toBe(true);
      expect(softmax(outputs.at(-1)!).probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
    }
  });
});

test("a network without hidden layers is the softmax of a sum of columns", () => {
  const shape: DenseShape = { features: 3, hidden: [], labels: 2, activation: "relu" };
  // By hand: logits 0.5 + 2 + 3 = 5.5 and 0 + 1 - 1 = 0.
  const layers = [{ weight: Float64Array.of(9, 2, 3, 9, 1, -1), bias: Float64Array.of(0.5, 0) }];
  expect([...layerOutputs(shape, layers, [1, 2])[0]!]).toEqual([5.5, 0]);
  expect(addGradients(shape, layers, { active: [1, 2], label: 1 }, 1, null)).toBeCloseTo(Math.log(1 + Math.exp(5.5)), 12);
});

test("its exponential and logarithm are those of Math to the last bits, and bounded", () => {
  const random = createRandom(1);
  for (let count = 0; count < 10_000; count++) {
    const x = 1400 * (random() - 0.5);
    expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(4e-16);
    const y = 1 + 511 * random();
    expect(Math.abs(log(y) - Math.log(y))).toBeLessThan(2e-15);
  }
  expect([exp(0), log(1), exp(1e9), exp(-1e9)]).toEqual([1, 0, exp(700), exp(-700)]);
});
