/**
 * Compares the explicit forward and backward pass with the gradients that tfjs computes from the model's definition, on tfjs's
 * own cpu backend.
 */
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../../shared/config.ts";
import { crossEntropyHead } from "../../../../shared/model/backward/cross-entropy-head.ts";
import { lossAndGradients, lossSum } from "../../../../shared/model/backward/loss.ts";
import type { Batch } from "../../../../shared/model/backward/pass.ts";
import { createRandom, normal } from "../../../../shared/model/random.ts";
import { weightShapes, type Weights } from "../../../../shared/model/weights.ts";
import { useKernels } from "../../../../shared/tensor/engine/backend.ts";
import { BUILDS, TOLERANCE } from "../../tensor/compare.ts";

interface Case {
  config: ModelConfig;
  batch: number;
  length: number;
  seed: number;
  /** True if each row's loss has a weight. */
  isWeighted?: boolean;
}

const size = fc.constantFrom(1, 2, 3, 5, 7, 8, 13);
const cases: fc.Arbitrary<Case> = fc
  .record({
    vocabSize: fc.constantFrom(2, 3, 11, 31),
    width: fc.constantFrom(1, 3, 4, 7, 16),
    mlpWidth: size,
    layers: fc.constantFrom(1, 2, 3),
    kvHeads: fc.constantFrom(1, 2, 3),
    group: fc.constantFrom(1, 2),
    headWidth: fc.constantFrom(2, 6, 8),
    tiedEmbeddings: fc.boolean(),
    batch: fc.constantFrom(1, 2, 5),
    length: size,
    seed: fc.nat(1e6),
    isWeighted: fc.boolean(),
  })
  // The epsilon is large, because the norm of a single number near zero would turn a rounding error into an error in the fifth
  // digit.
  .map(({ group, batch, length, seed, isWeighted, ...shape }) => ({
    config: { ...shape, heads: group * shape.kvHeads, context: 16, ropeTheta: 100, normEpsilon: 0.1 },
    batch,
    length,
    seed,
    isWeighted,
  }));

function tensors(config: ModelConfig, seed: number): Weights {
  const random = createRandom(seed);
  return Object.fromEntries(
    weightShapes(config).map(([name, shape]) => {
      // Weights near the scale of initial weights, so rounding errors are as large as in training.
      const [center, std] = name.includes("norm") ? [1, 0.3] : [0, 1 / Math.sqrt(shape[1]!)];
      return [
        name,
        tf.tensor(
          Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => center + std * normal(random)),
          shape,
        ),
      ];
    }),
  );
}

/** The loss, then each parameter's gradient. */
function values(each: Case, recompute = false, sequences = each.batch): Map<string, Float32Array> {
  const { config, batch: count, length, seed, isWeighted = false } = each;
  const weights = tensors(config, seed);
  const before = tf.memory().numTensors;
  const inputs = Int32Array.from({ length: count * length }, (_, index) => (index * 5 + seed) % config.vocabSize);
  const labels = Int32Array.from({ length: count * length }, (_, index) => (index % 4 === 3 ? -1 : (index * 7 + seed) % config.vocabSize));
  // Row weights from 0.5 to 3, and 0 in every fifth row. The first row always counts.
  const rowWeights = Float32Array.from(labels, (_, row) => (row % 5 === 4 ? 0 : 0.5 * (1 + ((row * 3 + seed) % 6))));
  const batch = { inputs, labels, sequences: count, ...(isWeighted ? { rowWeights } : {}) };
  const { loss, gradients } = lossAndGradients(weights, config, batch, crossEntropyHead, { sequences, recompute });
  const found = new Map(Object.entries(gradients).map(([name, tensor]) => [name, tensor.dataSync() as Float32Array]));
  found.set("loss", Float32Array.of(loss));
  const { lossSum: sum, targets } = lossSum(weights, config, batch, crossEntropyHead);
  found.set("lossSum", Float32Array.of(sum / targets));
  tf.dispose(gradients);
  expect(tf.memory().numTensors).toBe(before);
  tf.dispose(weights);
  return found;
}

const top = (all: Float32Array) => all.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

/**
 * The largest difference, divided by the largest gradient of all parameters. Dividing by each parameter's own largest gradient
 * would be wrong: behind a norm of one or two numbers, the true gradients are zero and only rounding errors remain.
 */
function worst(got: Map<string, Float32Array>, expected: Map<string, Float32Array>): number {
  expect([...got.keys()]).toEqual([...expected.keys()]);
  const gradients = [...expected].filter(([name]) => !name.startsWith("loss"));
  const scale = Math.max(...gradients.map(([, wanted]) => top(wanted)));
  const differences = [...expected].map(([name, wanted]) => {
    const difference = top(wanted.map((value, at) => got.get(name)![at]! - value));
    return difference / (name.startsWith("loss") ? top(wanted) : scale);
  });
  return Math.max(...differences);
}

/** True for rows that are left out of the loss. */
const isOut = (row: number) => row % 3 === 1;

describe.each(BUILDS)("gradients by hand, %s", (_, module) => {
  beforeAll(() => useKernels(module));

  test("equal the tape's over shapes, and leave no tensor behind", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (each) => {
        await tf.setBackend("wasm");
        const got = values(each);
        await tf.setBackend("cpu");
        const expected = values(each);
        await tf.setBackend("wasm");
        expect(worst(got, expected)).toBeLessThanOrEqual(TOLERANCE);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test("are the same when activations are recomputed, a few sequences at a time", () => {
    const shape = { vocabSize: 31, width: 12, mlpWidth: 20, layers: 3, heads: 4, kvHeads: 2, headWidth: 6, tiedEmbeddings: false };
    const config: ModelConfig = { ...shape, context: 64, ropeTheta: 100, normEpsilon: 1e-6 };
    // With one chunk of sequences the sums have the same order, so the bits are equal. With three chunks the same numbers are
    // summed in another order.
    const one: Case = { config, batch: 4, length: 64, seed: 5 };
    expect(values(one, true)).toEqual(values(one));
    const three: Case = { config, batch: 10, length: 64, seed: 6 };
    expect(worst(values(three, true), values(three))).toBeLessThanOrEqual(1e-6);
    // Several passes also sum in another order.
    expect(worst(values(three, false, 3), values(three))).toBeLessThanOrEqual(1e-6);
    expect(worst(values(three, true, 7), values(three))).toBeLessThanOrEqual(1e-6);
  });

  test("refuse inputs and labels outside the vocabulary, only ignored labels, and sequences of unequal length, and leave no tensor behind", () => {
    const config: ModelConfig = {
      vocabSize: 3,
      width: 4,
      mlpWidth: 4,
      layers: 1,
      heads: 1,
      kvHeads: 1,
      headWidth: 2,
      context: 4,
      ropeTheta: 100,
      normEpsilon: 1e-6,
      tiedEmbeddings: false,
    };
    const weights = tensors(config, 1);
    const before = tf.memory().numTensors;
    const compute = (labels: number[], batch = 1, inputs = [0, 1, 2], sequences = batch) =>
      lossAndGradients(
        weights,
        config,
        { inputs: Int32Array.from(inputs), labels: Int32Array.from(labels), sequences: batch },
        crossEntropyHead,
        { sequences, recompute: false },
      );
    expect(() => compute([0, 3, 1])).toThrow("crossEntropy: expected labels of -1 (ignored) or 0..2, got 3 in row 1");
    expect(() => compute([-1, -1, -1])).toThrow("crossEntropy: expected at least one label, got only ignored ones");
    expect(() => compute([0, 1, 2], 1, [1, 3, 0])).toThrow("embedding: expected ids of 0..2, got 3 at 1");
    expect(() => compute([0, 1, 2], 1, [0, 1, -1])).toThrow("embedding: expected ids of 0..2, got -1 at 2");
    expect(() => compute([0, 1, 2], 2)).toThrow("batch: expected inputs and labels [B*T] with B = 2, got [3] and [3]");
    // With two passes, the error comes after the first pass has made gradients. They must be freed.
    expect(() => compute([0, 1, 2], 2, [0, 1, 2], 1)).toThrow("batch: expected inputs and labels [B*T] with B = 2, got [3] and [3]");
    expect(() => compute([0, 1], 2, [0, 3], 1)).toThrow("embedding: expected ids of 0..2, got 3 at 0");
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose(weights);
  });

  test("change no bit if every row has weight 1; a row with weight 0 equals a row with an ignored label", () => {
    const shape = { vocabSize: 31, width: 12, mlpWidth: 20, layers: 2, heads: 2, kvHeads: 1, headWidth: 6, tiedEmbeddings: true };
    const config: ModelConfig = { ...shape, context: 8, ropeTheta: 100, normEpsilon: 1e-6 };
    const weights = tensors(config, 7);
    const inputs = Int32Array.from({ length: 24 }, (__, index) => (index * 5) % 31);
    const labels = Int32Array.from({ length: 24 }, (__, index) => (index * 7) % 31);
    const compute = (batch: Omit<Batch, "inputs" | "sequences">) => {
      const computed = lossAndGradients(weights, config, { inputs, sequences: 3, ...batch }, crossEntropyHead);
      const found = Object.values(computed.gradients).map((tensor) => tensor.dataSync());
      tf.dispose(computed.gradients);
      return [computed.loss, ...found];
    };
    expect(compute({ labels, rowWeights: new Float32Array(24).fill(1) })).toEqual(compute({ labels }));
    const masked = { labels, rowWeights: Float32Array.from(labels, (__, row) => (isOut(row) ? 0 : 1)) };
    const ignored = { labels: labels.map((label, row) => (isOut(row) ? -1 : label)) };
    expect(compute(masked)).toEqual(compute(ignored));
    expect(() => compute({ labels, rowWeights: new Float32Array(24) })).toThrow(
      "crossEntropy: expected row weights with a sum above 0, got 0",
    );
    expect(() => compute({ labels, rowWeights: new Float32Array(23) })).toThrow(
      "batch: expected inputs, labels and row weights [B*T] with B = 3, got [24] and [24] and [23]",
    );
    tf.dispose(weights);
  });

  test("are the same when the head processes a few rows at a time", () => {
    const shape = { width: 8, mlpWidth: 4, layers: 1, heads: 1, kvHeads: 1, headWidth: 4, context: 44, ropeTheta: 100, normEpsilon: 0.1 };
    // The vocabulary is so large that a slice has 64 rows of logits. Three sequences take three slices, a single sequence
    // takes one.
    const each: Case = { config: { ...shape, vocabSize: 16_411, tiedEmbeddings: false }, batch: 3, length: 44, seed: 3, isWeighted: true };
    expect(worst(values(each), values(each, false, 1))).toBeLessThanOrEqual(1e-6);
  });
});
