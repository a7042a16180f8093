import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { PRESETS, modelConfigSchema, trainingConfigSchema, type ModelConfig, type TrainingConfig } from "../../../../shared/config.ts";
import { crossEntropyHead } from "../../../../shared/model/backward/cross-entropy-head.ts";
import { lossSum } from "../../../../shared/model/backward/loss.ts";
import { createRandom } from "../../../../shared/model/random.ts";
import type { NamedArray } from "../../../../shared/model/formats/safetensors.ts";
import { arraysOf } from "../../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../../shared/model/weights.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import type { EvaluateTask, TrainTask } from "../../../../shared/training/protocol/task.ts";
import { partition, splitByPart } from "../../../../shared/model/formats/partition.ts";
import type { Weights } from "../../../../shared/model/weights.ts";
import { runEvaluateTask, runTrainTask, type TaskParts } from "../../../../shared/training/compute/run-task.ts";
import type { Stream } from "../../../../shared/training/compute/examples.ts";
import { planTask } from "../../../../shared/training/compute/plan-task.ts";

beforeAll(startBackend);

const HASH = "0".repeat(64) as TrainTask["base"];
const MODEL: ModelConfig = {
  ...PRESETS["tiny"]!.model,
  vocabSize: 17,
  width: 8,
  mlpWidth: 12,
  heads: 2,
  kvHeads: 1,
  headWidth: 4,
  context: 6,
};
const TRAINING: TrainingConfig = { ...PRESETS["tiny"]!.training, seed: 3, tokens: 5000, batch: 8, shards: 1, steps: 1 };
const random = createRandom(1);
const TOKENS = Uint16Array.from({ length: 200 }, () => Math.floor(random() * MODEL.vocabSize));
const streamOf = (tokens: Uint16Array): Stream => ({ length: tokens.length, read: async (first, end) => tokens.slice(first, end) });
const STREAM = streamOf(TOKENS);

function trainTask(training: TrainingConfig, shard: number, model = MODEL): TrainTask {
  return { kind: "train", run: "r", round: 2, shard, base: HASH, weights: [HASH], inner: null, dataset: HASH, model, training, lrScale: 1 };
}

interface Outcome {
  delta: NamedArray[];
  inner: NamedArray[];
  loss: number;
  sequences: number;
}

function keep(arrays: Map<string, NamedArray>, tensors: Weights): void {
  for (const array of arraysOf(tensors)) arrays.set(array.name, array);
}

/** Runs a task on arrays instead of stored parts. `before` is called before each read and write. */
async function runTask(
  task: TrainTask,
  weights: readonly NamedArray[],
  inner: readonly NamedArray[],
  stream: Stream,
  before: (what: keyof TaskParts) => void = () => undefined,
): Promise<Outcome> {
  const split = (arrays: readonly NamedArray[]) =>
    splitByPart(task.model, Object.fromEntries(arrays.map((array) => [array.name, array]))).map((part) => Object.values(part));
  const written = { delta: new Map<string, NamedArray>(), inner: new Map<string, NamedArray>() };
  const outcome = await runTrainTask(
    task,
    planTask(task),
    {
      weights: async (part) => {
        before("weights");
        return split(weights)[part]!;
      },
      state: async (part) => {
        before("state");
        return split(inner)[part]!;
      },
      write: async (_, delta, state) => {
        before("write");
        keep(written.delta, delta);
        keep(written.inner, state);
      },
    },
    stream,
  );
  return { ...outcome, delta: [...written.delta.values()], inner: [...written.inner.values()] };
}

function firstWeights(model: ModelConfig): NamedArray[] {
  const weights = initWeights(model, 1);
  const arrays = arraysOf(weights);
  tf.dispose(weights);
  return arrays;
}

/** The mean of all shards' updates, weighted by sequences, as plain numbers by name. */
async function meanDelta(weights: readonly NamedArray[], shards: number): Promise<Record<string, number[]>> {
  const mean: Record<string, number[]> = {};
  for (let shard = 0; shard < shards; shard++) {
    const outcome = await runTask(trainTask({ ...TRAINING, shards }, shard), weights, [], STREAM);
    for (const { name, data } of outcome.delta) {
      mean[name] ??= Array.from(data, () => 0);
      for (const [index, value] of data.entries()) mean[name][index]! += (value * outcome.sequences) / TRAINING.batch;
    }
  }
  return mean;
}

const stepOf = ({ inner }: Outcome) => inner.find(({ name }) => name === "step")!.data[0];

describe("the train task", () => {
  test("gives the same mean gradient from 1, 2, 3 and 4 shards, and leaves no tensors behind", async () => {
    const weights = firstWeights(MODEL);
    const before = tf.memory().numTensors;
    const whole = await meanDelta(weights, 1);
    expect(Math.max(...whole["lm_head.weight"]!.map(Math.abs))).toBeGreaterThan(1e-3);
    for (const shards of [2, 3, 4]) {
      const mean = await meanDelta(weights, shards);
      const worst = Object.entries(mean).flatMap(([name, values]) => values.map((value, index) => Math.abs(value - whole[name]![index]!)));
      expect(worst.reduce((most, value) => Math.max(most, value))).toBeLessThan(1e-6);
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  test("makes local steps, gives the same bits when repeated, and continues from its returned state", async () => {
    const weights = firstWeights(MODEL);
    const before = tf.memory().numTensors;
    const task = trainTask({ ...TRAINING, shards: 2, steps: 3, batch: 2, optimizer: PRESETS["small"]!.training.optimizer }, 1);
    const [one, two] = [await runTask(task, weights, [], STREAM), await runTask(task, weights, [], STREAM)];
    expect(one.sequences).toBe(6);
    expect(one).toEqual(two);
    expect(Math.max(...one.delta[0]!.data.map(Math.abs))).toBeGreaterThan(0);
    const next = await runTask(task, weights, one.inner, STREAM);
    expect([stepOf(one), stepOf(next)]).toEqual([3, 6]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("sums micro-batches to the gradient of the whole batch", async () => {
    // Windows of 200 labels: a micro-batch of 1,024 tokens holds five sequences, so seven sequences take two.
    const model = { ...MODEL, context: 200 };
    const long = Uint16Array.from({ length: 2000 }, (_, index) => (index * index) % 17);
    const stream = streamOf(long);
    const weights = firstWeights(model);
    const before = tf.memory().numTensors;
    const whole = await runTask(trainTask({ ...TRAINING, batch: 7 }, 0, model), weights, [], stream);
    const parts: Outcome[] = [];
    for (let shard = 0; shard < 7; shard++) {
      parts.push(await runTask(trainTask({ ...TRAINING, batch: 7, shards: 7 }, shard, model), weights, [], stream));
    }
    const name = "lm_head.weight";
    const headOf = ({ delta }: Outcome) => delta.find((array) => array.name === name)!.data;
    for (const [index, value] of headOf(whole).entries()) {
      const mean = parts.reduce((sum, part) => sum + headOf(part)[index]!, 0) / 7;
      expect(Math.abs(value - mean)).toBeLessThan(1e-6);
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("parts", () => {
  // Several parts of two megabytes.
  const model: ModelConfig = { ...MODEL, vocabSize: 17, width: 64, mlpWidth: 2048, layers: 2, heads: 4, kvHeads: 2, headWidth: 16 };
  const muon = PRESETS["small"]!.training.optimizer;

  test("a task in parts gives the same update whether gradients are consumed at once or kept for clipping", async () => {
    expect(partition(model).length).toBeGreaterThan(1);
    const weights = firstWeights(model);
    const before = tf.memory().numTensors;
    // No gradient reaches the huge clipping norm, so both ways compute the same update.
    const used = trainTask({ ...TRAINING, steps: 2, batch: 2, clipNorm: 0, optimizer: muon }, 0, model);
    const kept = trainTask({ ...TRAINING, steps: 2, batch: 2, clipNorm: 1e9, optimizer: muon }, 0, model);
    const outcome = await runTask(used, weights, [], STREAM);
    expect(outcome).toEqual(await runTask(kept, weights, [], STREAM));
    expect(outcome.delta.map(({ name }) => name)).toEqual(weights.map(({ name }) => name));
    expect(outcome.inner.filter(({ name }) => name === "step")).toHaveLength(1);
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each([
    [1, "weights", 2],
    [1, "write", 2],
    [2, "weights", 2],
    // The weights of the two parts are read before training, and again when their updates are made.
    [2, "weights", 4],
    [2, "state", 2],
    [2, "write", 2],
  ] as const)("a task of %d steps in which %s fails at call number %d leaves no tensors behind", async (steps, what, call) => {
    const weights = firstWeights(model);
    const task = trainTask({ ...TRAINING, steps, batch: 2, optimizer: muon }, 0, model);
    const { inner } = await runTask(task, weights, [], STREAM);
    const before = tf.memory().numTensors;
    let calls = 0;
    const failing = runTask(task, weights, inner, STREAM, (each) => {
      if (each === what && ++calls === call) throw new Error("connection lost");
    });
    await expect(failing).rejects.toThrow("connection lost");
    expect(tf.memory().numTensors).toBe(before);
  });

  test("a task that recomputes activations gives the same update", async () => {
    const weights = firstWeights(model);
    const task = trainTask({ ...TRAINING, steps: 2, batch: 2, clipNorm: 0, optimizer: muon }, 0, model);
    const again = { ...task, training: { ...task.training, recompute: true } };
    expect(await runTask(again, weights, [], STREAM)).toEqual(await runTask(task, weights, [], STREAM));
  });
});

const SINGLE = { inputs: Int32Array.from([1, 2, 3, 4, 5, 6]), labels: Int32Array.from([2, 3, 4, 5, 6, -1]), sequences: 1 };

describe("the evaluate task", () => {
  test("makes every token but the first a target exactly once, for any number of slices", async () => {
    const weights = initWeights(MODEL, 1);
    const sums: number[] = [];
    for (const shards of [1, 3]) {
      let [total, targets] = [0, 0];
      for (let shard = 0; shard < shards; shard++) {
        const task = {
          kind: "evaluate" as const,
          run: "r",
          round: 0,
          shard,
          shards,
          base: HASH,
          weights: [HASH],
          dataset: HASH,
          objective: "pretrain",
          model: MODEL,
          batch: 4,
        } satisfies EvaluateTask;
        const part = await runEvaluateTask(task, weights, STREAM);
        total += part.lossSum;
        targets += part.targets;
      }
      expect(targets).toBe(TOKENS.length - 1);
      sums.push(total);
    }
    expect(sums[1]).toBeCloseTo(sums[0]!, 3);
    // A head of zeros guesses uniformly: the loss is log 17 per target.
    expect(sums[0]! / (TOKENS.length - 1)).toBeCloseTo(Math.log(17), 4);
    const single = lossSum(weights, MODEL, SINGLE, crossEntropyHead);
    expect(single.targets).toBe(5);
    tf.dispose(weights);
  });
});

test("every preset is a valid configuration", () => {
  for (const { model, vocabSize, training, tokens } of Object.values(PRESETS)) {
    modelConfigSchema.parse({ ...model, vocabSize });
    trainingConfigSchema.parse({ ...training, tokens, seed: 0 });
    expect(training.shards).toBeLessThanOrEqual(training.steps === 1 ? training.batch : training.shards);
  }
});
