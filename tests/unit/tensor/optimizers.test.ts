/** Updates in place, against the same updates in plain tfjs ops on the cpu backend, over shapes, on both builds. */
import * as fc from "fast-check";
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import type { OptimizerConfig } from "../../../shared/config.ts";
import { clipByGlobalNorm, createOptimizer } from "../../../shared/training/compute/optimizer.ts";
import { arraysOf } from "../../../shared/model/formats/weights-file.ts";
import { startBackend, useKernels } from "../../../shared/tensor/engine/backend.ts";
import { BUILDS, normals, SIZES, TOLERANCE, worstDifference } from "./compare.ts";

beforeAll(startBackend);

const RATES = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 };
const MUON: OptimizerConfig = { name: "muon", lr: 0.2, momentum: 0.95, adamLr: 0.1, ...RATES };
const CONFIGS: OptimizerConfig[] = [
  { name: "adamw", lr: 0.1, ...RATES },
  { name: "nesterov", lr: 0.7, momentum: 0.9 },
  { name: "nesterov", lr: 0.7, momentum: 0 },
  MUON,
];

/** Weights and state after three updates of one parameter. */
async function threeUpdates(backend: "wasm" | "cpu", config: OptimizerConfig, name: string, shape: number[]): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const make = (seed: number) => ({ [name]: tf.tensor(normals(shape, seed).values, shape) });
  const optimizer = createOptimizer(config);
  let weights: Record<string, tf.Tensor> = make(1);
  let state = optimizer.init(weights);
  for (let step = 0; step < 3; step++) ({ weights, state } = optimizer.update(make(2 + step), state, weights, 0.5));
  const results = [...arraysOf(weights), ...arraysOf(state)].map(({ data }) => data);
  tf.dispose([weights, state]);
  expect(tf.memory().numTensors).toBe(before);
  await tf.setBackend("wasm");
  return results;
}

const twoGradients = () => ({ a: tf.tensor(normals([13, 31], 1).values, [13, 31]), b: tf.tensor(normals([5000], 2).values) });
const sizes = fc.constantFrom(...SIZES);

describe.each(BUILDS)("with %s", (_, build) => {
  beforeAll(() => useKernels(build));

  test.each(CONFIGS)("$name equals its definition", async (config) => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.boolean(), async (rows, columns, isVector) => {
        // Neither name is in a block, so Muon leaves these parameters to Adam.
        const [name, shape] = isVector ? ["model.norm.weight", [columns]] : ["lm_head.weight", [rows, columns]];
        const [got, want] = [await threeUpdates("wasm", config, name, shape), await threeUpdates("cpu", config, name, shape)];
        expect(worstDifference(got, want)).toBeLessThan(TOLERANCE);
      }),
      { seed: 1, numRuns: 25 },
    );
  });

  test("a plain mean keeps no state except the step", async () => {
    const [weight, ...state] = await threeUpdates("wasm", { name: "nesterov", lr: 1, momentum: 0 }, "lm_head.weight", [13, 31]);
    const sum = [2, 3, 4].map((seed) => normals([13, 31], seed).values).reduce((a, b) => a.map((value, at) => value + b[at]!));
    const moved = normals([13, 31], 1).values.map((value, at) => value - 0.5 * sum[at]!);
    expect(worstDifference([weight!], [moved])).toBeLessThan(TOLERANCE);
    expect(state).toEqual([Float32Array.of(3)]);
  });

  test("a plain mean continues with the momentum that runs before 2026-11-27 have stored", () => {
    const shape = [13, 31];
    const make = (seed: number) => tf.tensor(normals(shape, seed).values, shape);
    const optimizer = createOptimizer({ name: "nesterov", lr: 1, momentum: 0 });
    const update = (state: Record<string, tf.Tensor>) =>
      optimizer.update({ w: make(2) }, { step: tf.scalar(4), ...state }, { w: make(1) }, 1);
    const [without, stored] = [update({}), update({ "w/m": make(3) })];
    expect(Object.keys(stored.state).toSorted()).toEqual(["step", "w/m"]);
    expect(arraysOf(stored.weights)).toEqual(arraysOf(without.weights));
    for (const { weights, state } of [without, stored]) tf.dispose([weights, state]);
  });

  test("Muon on hidden matrices equals its definition, wide, square and tall", async () => {
    for (const [rows, columns] of [
      [1, 1],
      [1, 7],
      [5, 3],
      [16, 16],
      [13, 31],
      [31, 13],
      [40, 96],
      [128, 128],
      [128, 352],
      [352, 128],
    ] as const) {
      const name = "model.layers.0.mlp.up_proj.weight";
      const [got, want] = [await threeUpdates("wasm", MUON, name, [rows, columns]), await threeUpdates("cpu", MUON, name, [rows, columns])];
      expect(worstDifference(got, want)).toBeLessThan(TOLERANCE);
    }
  });

  test("clips by the global norm as the definition does", async () => {
    const results = [];
    for (const backend of ["wasm", "cpu"] as const) {
      await tf.setBackend(backend);
      const { gradients, norm } = clipByGlobalNorm(twoGradients(), 1);
      results.push([...arraysOf(gradients).map(({ data }) => data), Float32Array.from([norm])]);
      tf.dispose(gradients);
    }
    await tf.setBackend("wasm");
    expect(worstDifference(results[0]!, results[1]!)).toBeLessThan(TOLERANCE);
  });
});
