/** Vectors of texts against the decoder in plain loops. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import type { ModelConfig } from "../../../shared/config.ts";
import { embed } from "../../../shared/model/embed.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { weightShapes } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { plainEmbedding } from "./plain-model.ts";

beforeAll(startBackend);

const CONFIG: ModelConfig = {
  vocabSize: 13,
  width: 8,
  mlpWidth: 12,
  layers: 2,
  heads: 2,
  kvHeads: 2,
  headWidth: 4,
  context: 16,
  ropeTheta: 100,
  normEpsilon: 1e-6,
  tiedEmbeddings: true,
};

test("a text's vector is the mean of its last hidden states, with length 1, and leaves no tensors behind", () => {
  const random = createRandom(3);
  const numbers = Object.fromEntries(
    weightShapes(CONFIG).map(([name, shape]) => [name, Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => normal(random))]),
  );
  const weights = Object.fromEntries(weightShapes(CONFIG).map(([name, shape]) => [name, tf.tensor(numbers[name]!, shape)]));
  const before = tf.memory().numTensors;
  for (const ids of [[5], [1, 2, 3], [12, 0, 12, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]]) {
    const vector = embed(weights, CONFIG, ids);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    for (const [index, value] of plainEmbedding(numbers, CONFIG, ids).entries()) expect(vector[index]).toBeCloseTo(value, 4);
  }
  expect(tf.memory().numTensors).toBe(before);
  expect(() => embed(weights, CONFIG, [])).toThrow("expected 1..16 ids, got 0");
  tf.dispose(weights);
});
