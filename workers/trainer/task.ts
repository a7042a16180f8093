/**
 * The work of one task, as a function of its inputs: no storage, no clock, no randomness but the task's own seed, so
 * anyone who runs it again on the same kind of machine gets the same bits.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../shared/config.ts";
import { lossAndGradients, lossSum } from "../../shared/model/loss.ts";
import { clipByGlobalNorm, createOptimizer, learningRateScale } from "../../shared/model/optimizer.ts";
import type { NamedArray } from "../../shared/model/safetensors.ts";
import { arraysOf, tensorsOf } from "../../shared/model/weights-file.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { shardRange, windowCount, windowOf } from "../../shared/training/data-order.ts";
import type { EvaluateTask, TrainTask } from "../../shared/training/task.ts";
import { totalRounds } from "../../shared/training/rounds.ts";

/** Random access to a token stream: the tokens [first, end). */
export type ReadTokens = (first: number, end: number) => Promise<Uint16Array>;

export interface TrainOutcome {
  delta: NamedArray[];
  inner: NamedArray[] | null;
  loss: number;
  sequences: number;
  tokens: number;
}

/** Tokens of one forward and backward pass: activations of more would not fit an isolate's memory. */
const MICRO_BATCH_TOKENS = 1024;

/** Lets a process that also runs the coordinator answer between steps. */
const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Inputs and labels of one batch of sequence numbers. */
async function readBatch(task: TrainTask, first: number, count: number, trainTokens: number, read: ReadTokens) {
  const { context } = task.model;
  const windows = windowCount(trainTokens, context);
  const inputs = new Int32Array(count * context);
  const labels = new Int32Array(count * context);
  for (let index = 0; index < count; index++) {
    const start = windowOf(task.training.seed, first + index, windows) * context;
    const tokens = await read(start, start + context + 1);
    inputs.set(tokens.subarray(0, context), index * context);
    labels.set(tokens.subarray(1), index * context);
  }
  return { inputs, labels };
}

/** Mean loss and gradients over `count` sequences, in micro-batches. The caller disposes the gradients. */
function meanGradients(
  weights: Weights,
  model: ModelConfig,
  inputs: Int32Array,
  labels: Int32Array,
  count: number,
): { loss: number; gradients: Weights } {
  const group = Math.max(1, Math.floor(MICRO_BATCH_TOKENS / model.context));
  if (count <= group) return lossAndGradients(weights, model, inputs, labels, count);
  let loss = 0;
  let sum: Weights | null = null;
  for (let first = 0; first < count; first += group) {
    const size = Math.min(group, count - first);
    const [from, end] = [first * model.context, (first + size) * model.context];
    const part = lossAndGradients(weights, model, inputs.subarray(from, end), labels.subarray(from, end), size);
    const share = size / count;
    loss += part.loss * share;
    const before: Weights | null = sum;
    sum = Object.fromEntries(
      Object.entries(part.gradients).map(([name, gradient]) => [
        name,
        tf.tidy((): tf.Tensor => (before === null ? tf.mul(gradient, share) : tf.add(before[name]!, tf.mul(gradient, share)))),
      ]),
    );
    tf.dispose([part.gradients, before ?? []]);
  }
  return { loss, gradients: sum! };
}

/** Computes a shard's update from the base weights and the shard's optimizer state, null at the start. */
export async function runTrainTask(
  task: TrainTask,
  base: readonly NamedArray[],
  inner: readonly NamedArray[] | null,
  trainTokens: number,
  read: ReadTokens,
): Promise<TrainOutcome> {
  return task.training.steps === 1 ? gradientTask(task, base, trainTokens, read) : localSteps(task, base, inner, trainTokens, read);
}

/** The mean gradient over the shard's part of one batch. */
async function gradientTask(task: TrainTask, base: readonly NamedArray[], trainTokens: number, read: ReadTokens): Promise<TrainOutcome> {
  const { training, model, round, shard } = task;
  const [from, end] = shardRange(training.batch, shard, training.shards);
  const count = end - from;
  if (count === 0)
    throw new Error(`train task: expected at most ${training.batch} shards for a batch of ${training.batch}, got ${training.shards}`);
  const { inputs, labels } = await readBatch(task, round * training.batch + from, count, trainTokens, read);
  const weights = tensorsOf(base);
  const { loss, gradients } = meanGradients(weights, model, inputs, labels, count);
  const delta = arraysOf(gradients);
  tf.dispose([weights, gradients]);
  return { delta, inner: null, loss, sequences: count, tokens: count * model.context };
}

/** How far the shard moved in its local steps: base minus where it went. */
async function localSteps(
  task: TrainTask,
  base: readonly NamedArray[],
  inner: readonly NamedArray[] | null,
  trainTokens: number,
  read: ReadTokens,
): Promise<TrainOutcome> {
  const { training, model, round, shard } = task;
  const optimizer = createOptimizer(training.optimizer);
  let weights = tensorsOf(base);
  let state = inner === null ? optimizer.init(weights) : tensorsOf(inner);
  const totalSteps = totalRounds(training, model) * training.steps;
  let lossTotal = 0;
  for (let step = 0; step < training.steps; step++) {
    const first = ((round * training.shards + shard) * training.steps + step) * training.batch;
    const { inputs, labels } = await readBatch(task, first, training.batch, trainTokens, read);
    const { loss, gradients } = meanGradients(weights, model, inputs, labels, training.batch);
    lossTotal += loss;
    const clipped = clipByGlobalNorm(gradients, training.clipNorm).gradients;
    const scale = learningRateScale(training.schedule, round * training.steps + step, totalSteps) * task.lrScale;
    ({ weights, state } = optimizer.update(clipped, state, weights, scale));
    await breathe();
  }
  const delta = arraysOf(weights);
  for (const [index, { data }] of delta.entries()) {
    const before = base[index]!.data;
    for (let at = 0; at < data.length; at++) data[at] = before[at]! - data[at]!;
  }
  const kept = arraysOf(state);
  tf.dispose([weights, state]);
  const sequences = training.steps * training.batch;
  return { delta, inner: kept, loss: lossTotal / training.steps, sequences, tokens: sequences * model.context };
}

/** Scores the windows whose number is `shard` modulo `shards`. Every validation token but the first is a target of exactly one window. */
export async function runEvaluateTask(
  task: EvaluateTask,
  weights: Weights,
  valTokens: number,
  read: ReadTokens,
): Promise<{ lossSum: number; targets: number }> {
  const { context } = task.model;
  const windows = Math.ceil(Math.max(0, valTokens - 1) / context);
  const mine = Array.from({ length: windows }, (_, window) => window).filter((window) => window % task.shards === task.shard);
  const total = { lossSum: 0, targets: 0 };
  for (let first = 0; first < mine.length; first += task.batch) {
    const group = mine.slice(first, first + task.batch);
    const inputs = new Int32Array(group.length * context);
    const labels = new Int32Array(group.length * context).fill(-1);
    for (const [index, window] of group.entries()) {
      const start = window * context;
      const tokens = await read(start, Math.min(valTokens, start + context + 1));
      inputs.set(tokens.subarray(0, Math.min(context, tokens.length)), index * context);
      labels.set(tokens.subarray(1), index * context);
    }
    const part = lossSum(weights, task.model, inputs, labels, group.length);
    total.lossSum += part.lossSum;
    total.targets += part.targets;
    await breathe();
  }
  return total;
}
