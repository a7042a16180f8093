import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../shared/config.ts";
import { createDecoder } from "../../../shared/model/decoder.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { forward } from "../../../shared/model/transformer.ts";
import { weightShapes, type Weights } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

beforeAll(startBackend);

const CONFIG: ModelConfig = {
  vocabSize: 13,
  width: 8,
  mlpWidth: 12,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headWidth: 4,
  context: 8,
  ropeTheta: 100,
  normEpsilon: 1e-6,
  tiedEmbeddings: false,
};
const IDS = [1, 5, 12, 0, 7, 7, 3, 2];

function randomWeights(config: ModelConfig): Weights {
  const random = createRandom(2);
  return Object.fromEntries(
    weightShapes(config).map(([name, shape]) => [
      name,
      tf.tensor(
        Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => 0.5 * normal(random)),
        shape,
      ),
    ]),
  );
}

function expectClose(got: Float32Array, expected: ArrayLike<number>): void {
  for (const [index, value] of got.entries()) expect(Math.abs(value - expected[index]!)).toBeLessThan(1e-4);
}

describe("the decoder with a cache", () => {
  for (const tiedEmbeddings of [false, true]) {
    test(`gives the logits of the full forward pass at every position, tied embeddings ${tiedEmbeddings}`, () => {
      const config = { ...CONFIG, tiedEmbeddings };
      const weights = randomWeights(config);
      const full = tf.tidy(() => forward(weights, config, tf.tensor1d(IDS, "int32"), 1).arraySync());
      const decoder = createDecoder(weights, config);
      expectClose(decoder.prefill(IDS.slice(0, 3)), full[2]!);
      expectClose(decoder.step(IDS[3]!), full[3]!);
      // A second prefill adds several positions after cached positions.
      expectClose(decoder.prefill(IDS.slice(4, 7)), full[6]!);
      expectClose(decoder.step(IDS[7]!), full[7]!);
      expect(decoder.length).toBe(8);
      decoder.dispose();
      tf.dispose(weights);
    });
  }

  test("forks continue independently and everything is freed", () => {
    const weights = randomWeights(CONFIG);
    const before = tf.memory().numTensors;
    const one = createDecoder(weights, CONFIG);
    one.prefill(IDS.slice(0, 3));
    const two = one.fork();
    one.step(9);
    const three = createDecoder(weights, CONFIG);
    three.prefill(IDS.slice(0, 3));
    expectClose(two.step(4), three.step(4));
    one.dispose();
    one.dispose();
    expectClose(two.step(6), three.step(6));
    two.dispose();
    three.dispose();
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(weights);
  });

  test("refuses ids outside the vocabulary, positions beyond the context, and use after disposal", () => {
    const weights = randomWeights(CONFIG);
    const decoder = createDecoder(weights, CONFIG);
    expect(() => decoder.prefill([13])).toThrow("expected ids below 13");
    expect(() => decoder.prefill([])).toThrow("at least one id");
    decoder.prefill(IDS);
    expect(() => decoder.step(1)).toThrow("at most 8 positions");
    decoder.dispose();
    expect(() => decoder.step(1)).toThrow("disposed");
    tf.dispose(weights);
  });
});
