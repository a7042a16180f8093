/** The planner's prediction is compared with the allocated memory. Configurations that do not fit are refused. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, describe, expect, test } from "vitest";
import { PRESETS, presetOf, type ModelConfig, type TrainingConfig } from "../../../../shared/config.ts";
import { MAX_ISOLATE_BYTES } from "../../../../shared/limits.ts";
import { checkMemory, estimateMemory } from "../../../../shared/model/footprint/memory.ts";
import { createOptimizer } from "../../../../shared/training/compute/optimizer.ts";
import { planPasses } from "../../../../shared/model/footprint/plan.ts";
import { liveBytes } from "../../../../shared/model/footprint/step-memory.ts";
import { optimizerStep } from "../../../../shared/training/compute/optimizer-step.ts";
import { pretrain } from "../../../../shared/training/objectives/pretrain.ts";
import { initWeights } from "../../../../shared/model/weights.ts";
import { useKernels } from "../../../../shared/tensor/engine/backend.ts";
import kernelModule from "../../../../shared/tensor/engine/kernel-module.ts";
import { watchAllocator } from "../../tensor/allocator.ts";

// Before each test, because scratch memory stays allocated and would count only for the first test.
beforeEach(() => useKernels(kernelModule));

/** The largest number of allocated bytes while `work` runs. */
function peakBytes(work: () => void): number {
  // At the first allocation Emscripten replaces the function by its own. So the first allocation comes before the watch.
  tf.scalar(0).dispose();
  const sizes = new Map<number, number>();
  let [live, peak] = [0, 0];
  watchAllocator(
    work,
    (offset, bytes) => {
      sizes.set(offset, bytes);
      live += bytes;
      peak = Math.max(peak, live);
    },
    (offset) => {
      live -= sizes.get(offset) ?? 0;
      sizes.delete(offset);
    },
  );
  return peak;
}

const { training: muon } = presetOf("shakespeare-char");
const { training: adamw } = presetOf("tiny");
const SHAPE: ModelConfig = { ...presetOf("shakespeare-char").model, vocabSize: 65 };
const CASES: readonly [what: string, model: Partial<ModelConfig>, training: Partial<TrainingConfig>, batch: number][] = [
  ["the characters' shape", {}, { ...muon, steps: 10 }, 12],
  ["gradients alone", {}, { ...muon, steps: 1 }, 12],
  ["clipping", {}, { ...muon, steps: 10, clipNorm: 1 }, 12],
  ["AdamW", {}, { ...adamw, steps: 10 }, 12],
  ["several passes", {}, { ...muon, steps: 10 }, 40],
  ["recomputed", {}, { ...muon, steps: 10, recompute: true }, 12],
  ["recomputed with clipping", {}, { ...muon, steps: 10, recompute: true, clipNorm: 1 }, 12],
  ["recomputed, several passes", {}, { ...muon, steps: 10, recompute: true }, 40],
  ["a large vocabulary", { vocabSize: 4099, layers: 1 }, { ...muon, steps: 10 }, 12],
  ["a large vocabulary, recomputed", { vocabSize: 4099, layers: 2 }, { ...muon, steps: 10, recompute: true }, 12],
  ["tied embeddings", { vocabSize: 4099, tiedEmbeddings: true }, { ...muon, steps: 10 }, 12],
  ["wide", { width: 256, mlpWidth: 704, heads: 8, layers: 2 }, { ...muon, steps: 10 }, 5],
  ["long, grouped queries", { context: 384, kvHeads: 1 }, { ...muon, steps: 10 }, 2],
  ["gradients alone, a large vocabulary", { vocabSize: 4099, layers: 1 }, { ...muon, steps: 1 }, 12],
  ["deep, recomputed", { layers: 9 }, { ...muon, steps: 10, recompute: true }, 16],
];

describe("the prediction", () => {
  test.each(CASES)("is within 10 percent of the memory that a step allocates: %s", (_, shape, part, batch) => {
    const model = { ...SHAPE, ...shape };
    const training = part as TrainingConfig;
    const optimizer = createOptimizer(training.optimizer);
    const plan = planPasses(model, training, batch);
    const ids = Int32Array.from({ length: batch * model.context }, (__, index) => index % model.vocabSize);
    const peak = peakBytes(() => {
      const weights = initWeights(model, 1);
      const state = training.steps > 1 ? optimizer.init(weights) : { step: tf.scalar(0) };
      // Without an optimizer state the step only computes gradients, and its update does nothing.
      const used = training.steps > 1 ? optimizer : IDLE;
      optimizerStep(
        { model, lossHead: pretrain.lossHead, plan, clipNorm: training.clipNorm, optimizer: used, weights, state },
        { inputs: ids, labels: ids, sequences: batch },
        1,
      );
      tf.dispose([weights, state]);
    });
    const predicted = liveBytes(model, training.steps > 1 ? training.optimizer : null, batch, plan);
    expect(Math.abs(predicted / peak - 1)).toBeLessThan(0.1);
  });
});

/** An optimizer that only disposes gradients. */
const IDLE = { beginStep: () => (_: string, gradient: tf.Tensor) => gradient.dispose() } as unknown as ReturnType<typeof createOptimizer>;

test("a step refuses a larger batch than planned, because it would update the weights twice", () => {
  const plan = planPasses(SHAPE, { ...muon, steps: 10 }, 4);
  const inputs = new Int32Array(8 * SHAPE.context);
  const work = { model: SHAPE, lossHead: pretrain.lossHead, plan, clipNorm: 0, optimizer: IDLE, weights: {}, state: {} };
  expect(() => optimizerStep(work, { inputs, labels: inputs, sequences: 8 }, 1)).toThrow(
    "optimizerStep: expected a batch of at most the 4 sequences of its plan, got 8",
  );
});

test("every preset fits an isolate, and a task's memory does not grow with its batch", () => {
  for (const { model, vocabSize, training } of Object.values(PRESETS)) {
    const shape = { ...model, vocabSize };
    const usual = estimateMemory(shape, training, training.batch);
    expect(() => checkMemory(usual)).not.toThrow();
    expect(() => checkMemory(estimateMemory(shape, training, 16 * training.batch))).not.toThrow();
  }
});

test("a configuration that does not fit is refused with the figure and the limit", () => {
  const model: ModelConfig = { ...presetOf("base").model, vocabSize: 65_536 };
  const estimate = estimateMemory(model, presetOf("base").training, 8);
  expect(estimate.total).toBeGreaterThan(MAX_ISOLATE_BYTES);
  expect(() => checkMemory(estimate)).toThrow(/expected a training task of at most 128 MiB \(an isolate's limit\), got \d{3} MiB/);
});
