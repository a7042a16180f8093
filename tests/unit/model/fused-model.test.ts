/** The decoder that serves (model/decoding) beside the plain decoder, and its own promises: bits that depend on nothing else. */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../shared/config.ts";
import { createDecoder } from "../../../shared/model/decoder.ts";
import { createFusedModel, type DecodingModel } from "../../../shared/model/decoding/fused-model.ts";
import type { Precision } from "../../../shared/model/decoding/fused-weights.ts";
import { MAX_PREFIX_BYTES } from "../../../shared/model/decoding/prefixes.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { weightShapes, type Weights } from "../../../shared/model/weights.ts";
import { startBackend, useKernels } from "../../../shared/tensor/engine/backend.ts";
import kernelModule from "../../../shared/tensor/engine/kernel-module.ts";
import { watchAllocator } from "../tensor/allocator.ts";
import { BUILDS } from "../tensor/compare.ts";

beforeAll(startBackend);
afterAll(() => useKernels(kernelModule));

/** Widths with whole vectors and tiles of 16, as in the presets. */
const EVEN: ModelConfig = {
  vocabSize: 160,
  width: 64,
  mlpWidth: 96,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headWidth: 16,
  context: 80,
  ropeTheta: 10_000,
  normEpsilon: 1e-6,
  tiedEmbeddings: true,
};
/** Widths that no vector divides, and more rows than a panel of packed weights has. */
const ODD: ModelConfig = { ...EVEN, vocabSize: 533, width: 35, mlpWidth: 50, heads: 3, kvHeads: 3, headWidth: 10, tiedEmbeddings: false };

function randomWeights(config: ModelConfig): Weights {
  const random = createRandom(2);
  return Object.fromEntries(
    weightShapes(config).map(([name, shape]) => {
      const middle = name.includes("norm") ? 1 : 0;
      const scale = name.includes("norm") ? 0.2 : 1 / Math.sqrt(shape[1]!);
      const values = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => middle + scale * normal(random));
      return [name, tf.tensor(values, shape)];
    }),
  );
}

const idsOf = (config: ModelConfig, length: number) => Array.from({ length }, (_, index) => (index * 37 + 5) % config.vocabSize);
const bits = (logits: Float32Array) => Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength).toString("base64");

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, index) => sum + value * b[index]!, 0);

function cosine(a: Float32Array, b: Float32Array): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Runs `work` with a model and checks that all of its memory is freed. */
function withModel<T>(config: ModelConfig, precision: Precision, work: (model: DecodingModel, weights: Weights) => T): T {
  const weights = randomWeights(config);
  const model = createFusedModel(weights, config, precision);
  try {
    return work(model, weights);
  } finally {
    model.dispose();
    tf.dispose(weights);
  }
}

for (const [build, module] of BUILDS) {
  describe(`the fused decoder, build ${build}`, () => {
    beforeAll(() => useKernels(module));

    for (const [shape, config] of Object.entries({ EVEN, ODD })) {
      test(`float32 gives the logits of the plain decoder, ${shape}`, () => {
        withModel(config, "float32", (model, weights) => {
          const [plain, fused] = [createDecoder(weights, config), model.start()];
          const ids = idsOf(config, 45);
          for (const [from, to] of [
            [0, 37],
            [37, 38],
            [38, 45],
          ] as const) {
            const expected = plain.prefill(ids.slice(from, to));
            const got = fused.prefill(ids.slice(from, to));
            for (const [index, value] of got.entries()) expect(Math.abs(value - expected[index]!)).toBeLessThan(2e-5);
          }
          plain.dispose();
          fused.dispose();
        });
      });

      test(`int8 gives nearly the same logits, ${shape}`, () => {
        withModel(config, "int8", (model, weights) => {
          const [plain, fused] = [createDecoder(weights, config), model.start()];
          const ids = idsOf(config, 40);
          expect(cosine(fused.prefill(ids), plain.prefill(ids))).toBeGreaterThan(0.995);
          plain.dispose();
          fused.dispose();
        });
      });
    }

    for (const precision of ["float32", "int8"] as const) {
      test(`a prompt gives the same bits at once, in parts and beside other sequences, ${precision}`, () => {
        withModel(ODD, precision, (model) => {
          const ids = idsOf(ODD, 41);
          const [whole, parts, other] = [model.start(), model.start(), model.start()];
          const expected = bits(whole.prefill(ids));
          parts.prefill(ids.slice(0, 19));
          for (const id of ids.slice(19, -1)) parts.step(id);
          other.prefill([1, 2, 3]);
          const forks = [parts.fork(), parts.fork(), parts.fork()];
          const decoders = [forks[0]!, other, forks[1]!, forks[2]!, parts];
          const together = model.stepTogether(
            decoders,
            decoders.map((decoder) => (decoder === other ? 7 : ids.at(-1)!)),
          );
          expect(together.filter((_, index) => decoders[index] !== other).map(bits)).toEqual(Array(4).fill(expected));
          // The forks go different ways.
          const [a, b] = model.stepTogether([forks[0]!, forks[1]!], [3, 4]);
          expect(bits(forks[2]!.step(3))).toBe(bits(a!));
          expect(bits(whole.step(4))).toBe(bits(b!));
          for (const decoder of [whole, ...decoders]) decoder.dispose();
        });
      });
    }
  });
}

test("int8 gives the same bits on both builds", async () => {
  const results: string[] = [];
  for (const [, module] of BUILDS) {
    await useKernels(module);
    for (const config of [EVEN, ODD]) {
      results.push(
        withModel(config, "int8", (model) => {
          const decoder = model.start();
          const logits = [bits(decoder.prefill(idsOf(config, 50))), bits(decoder.step(9))];
          decoder.dispose();
          return logits.join();
        }),
      );
    }
  }
  expect(results.slice(2)).toEqual(results.slice(0, 2));
});

test("a prompt whose beginning was computed before gives the same bits, and all memory is bounded and freed", () => {
  const live = new Map<number, number>();
  const liveBytes = () => [...live.values()].reduce((sum, bytes) => sum + bytes, 0);
  const weights = randomWeights(EVEN);
  // Tables of rotations stay, so they are made first.
  createFusedModel(weights, EVEN, "int8").start().prefill([1]);
  const work = () => {
    const model = createFusedModel(weights, EVEN, "int8");
    const ids = idsOf(EVEN, 60);
    const first = model.start();
    const expected = bits(first.prefill(ids));
    const afterFirst = bits(first.step(8));
    first.dispose();
    const resultOf = (from: DecodingModel, prompt: number[]) => {
      const decoder = from.start();
      const result = bits(decoder.prefill(prompt));
      decoder.dispose();
      return result;
    };
    expect(resultOf(model, ids)).toBe(expected);
    expect(resultOf(model, [...ids, 8])).toBe(afterFirst);
    // This prompt leaves the first in the middle of a page.
    const other = [...ids.slice(0, 37), 1, 2, 3];
    const fresh = createFusedModel(weights, EVEN, "int8");
    expect(resultOf(model, other)).toBe(resultOf(fresh, other));
    fresh.dispose();
    const before = liveBytes();
    for (let round = 0; round < 700; round++) {
      const decoder = model.start();
      decoder.prefill(Array.from({ length: 33 }, (_, index) => (round * 7 + index * round) % EVEN.vocabSize));
      decoder.dispose();
    }
    expect(liveBytes() - before).toBeLessThanOrEqual(MAX_PREFIX_BYTES + 1024 * 1024);
    expect(liveBytes() - before).toBeGreaterThan(1024 * 1024);
    model.dispose();
  };
  watchAllocator(
    work,
    (offset, bytes) => live.set(offset, bytes),
    (offset) => live.delete(offset),
  );
  expect(live.size).toBe(0);
  tf.dispose(weights);
});

test("refuses unknown ids, too many positions, and decoders that are disposed or of another model", () => {
  withModel(EVEN, "float32", (model) => {
    const decoder = model.start();
    expect(() => decoder.prefill([EVEN.vocabSize])).toThrow("expected ids below 160");
    expect(() => decoder.prefill([])).toThrow("at least one id");
    decoder.prefill(idsOf(EVEN, EVEN.context));
    expect(() => decoder.step(1)).toThrow("at most 80 positions");
    expect(() => model.stepTogether([decoder, decoder], [1, 1])).toThrow("different decoders");
    decoder.dispose();
    decoder.dispose();
    expect(() => decoder.step(1)).toThrow("disposed");
  });
});
