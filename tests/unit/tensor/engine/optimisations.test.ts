/**
 * Every optimisation of the engine can be switched off, and the loss and the gradients of a decoder stay the same. Without the
 * command buffer or the arena they have the same bits. Without Strassen's algorithm they differ only by rounding.
 */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, test } from "vitest";
import type { ModelConfig } from "../../../../shared/config.ts";
import { crossEntropyHead } from "../../../../shared/model/backward/cross-entropy-head.ts";
import { lossAndGradients } from "../../../../shared/model/backward/loss.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import { weightShapes } from "../../../../shared/model/weights.ts";
import { useKernels } from "../../../../shared/tensor/engine/backend.ts";
import { onHeap, run, type HeapBuffer } from "../../../../shared/tensor/engine/buffer.ts";
import kernelModule from "../../../../shared/tensor/engine/kernel-module.ts";
import type { Optimisations } from "../../../../shared/tensor/engine/optimisations.ts";
import { watchAllocator } from "../allocator.ts";
import { BUILDS, normals, TOLERANCE, worstDifference } from "../compare.ts";

/** All sides are at least 128, so the products use Strassen's quadrants. */
const MODEL: ModelConfig = {
  vocabSize: 160,
  width: 128,
  mlpWidth: 144,
  layers: 2,
  heads: 4,
  kvHeads: 4,
  headWidth: 32,
  context: 32,
  ropeTheta: 10_000,
  normEpsilon: 1e-6,
  tiedEmbeddings: false,
};
const SEQUENCES = 4;

/** Random weights. Initial weights are partly zero, and so are their gradients. */
function someWeights(): Record<string, tf.Tensor> {
  return Object.fromEntries(
    weightShapes(MODEL).map(([name, shape], index) => [name, tf.mul(tf.tensor(normals(shape, index).values, shape), 0.1)]),
  );
}

/** The loss, then the gradient of each weight. */
async function gradients(module: WebAssembly.Module, optimisations: Partial<Optimisations>): Promise<Float32Array[]> {
  await useKernels(module, optimisations);
  const weights = tf.tidy(someWeights);
  const random = createRandom(2);
  const draw = () => Int32Array.from({ length: SEQUENCES * MODEL.context }, () => Math.floor(random() * MODEL.vocabSize));
  const result = lossAndGradients(weights, MODEL, { inputs: draw(), labels: draw(), sequences: SEQUENCES }, crossEntropyHead);
  const values = Object.values(result.gradients).map((gradient) => (gradient.dataSync() as Float32Array).slice());
  tf.dispose([weights, result.gradients]);
  return [Float32Array.of(result.loss), ...values];
}

/** The number of allocations in a scope that makes and frees ten buffers of the same size. */
function allocations(): number {
  const x = tf.ones<tf.Rank.R2>([32, 32]);
  let count = 0;
  const product = () => run<HeapBuffer>("BatchMatMul", { a: x, b: x }, { transposeA: false, transposeB: false });
  // The first product may still enlarge the scratch memory, so it is not counted.
  onHeap(() => product().dispose());
  watchAllocator(
    () =>
      onHeap(() => {
        for (let time = 0; time < 10; time++) product().dispose();
      }),
    () => count++,
    () => undefined,
  );
  x.dispose();
  return count;
}

afterAll(() => useKernels(kernelModule));

describe.each(BUILDS)("a decoder's loss and gradients, %s", (_, module) => {
  test("are the same bits without the command buffer, without the arena and without both", async () => {
    const expected = await gradients(module, {});
    expect(expected.length).toBeGreaterThan(20);
    expect(await gradients(module, { commandBuffer: false })).toEqual(expected);
    expect(await gradients(module, { arena: false })).toEqual(expected);
    expect(await gradients(module, { commandBuffer: false, arena: false })).toEqual(expected);
  });

  test("differ only by rounding without Strassen's algorithm", async () => {
    const [strassen, blocked] = [await gradients(module, {}), await gradients(module, { strassen: false })];
    // Equal bits would mean that the switch does nothing.
    expect(blocked).not.toEqual(strassen);
    expect(worstDifference(blocked, strassen)).toBeLessThanOrEqual(TOLERANCE);
    // The scale of each difference is the largest number of the weight's gradient, which is far below 1 here.
    for (const [index, want] of strassen.entries()) {
      const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const scaled = (values: Float32Array) => values.map((value) => value / largest);
      expect(worstDifference([scaled(blocked[index]!)], [scaled(want)])).toBeLessThanOrEqual(TOLERANCE);
    }
  });
});

test("the arena reuses a freed block; without the arena each buffer is a call of the allocator", async () => {
  await useKernels(kernelModule);
  expect(allocations()).toBe(1);
  await useKernels(kernelModule, { arena: false });
  expect(allocations()).toBe(10);
});
