/**
 * The work of one task, as a function of its inputs: no storage, no clock, no randomness but the task's own seed, so
 * anyone who runs it again on the same kind of machine gets the same bits.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { lossAndGradients, lossSum } from "../../model/backward/loss.ts";
import { createOptimizer, learningRateScale } from "./optimizer.ts";
import { partition, splitByPart } from "../../model/formats/partition.ts";
import { planPasses } from "../../model/footprint/plan.ts";
import type { NamedArray } from "../../model/formats/safetensors.ts";
import { trainStep } from "./training-step.ts";
import { tensorsOf } from "../../model/formats/weights-file.ts";
import type { Weights } from "../../model/weights.ts";
import { valuesInPlace } from "../../tensor/engine/values.ts";
import { sequencesOf } from "./data-order.ts";
import { totalRounds } from "./rounds.ts";
import type { EvaluateTask, TrainTask } from "../protocol/task.ts";
import { readWindows, type ReadTokens } from "./windows.ts";

/**
 * What a task reads and writes, part by part (model/partition.ts): JavaScript's memory holds one part at a time, and
 * nothing but the tensors between.
 */
export interface TaskParts {
  /** The base weights of a part. */
  weights(part: number): Promise<readonly NamedArray[]>;
  /** The shard's optimizer state of a part; none at the start. */
  state(part: number): Promise<readonly NamedArray[]>;
  /** Stores a part's update and the state after it, which is empty when there is none to keep; resolves when the tensors may go. */
  write(part: number, delta: Weights, state: Weights): Promise<void>;
}

export interface TrainOutcome {
  /** Mean training loss, nats per token. */
  loss: number;
  sequences: number;
  tokens: number;
}

/** Lets a process that also runs the coordinator answer between steps. */
const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Adds the tensors of all parts to `into`, whose owner disposes them: after a failure too, those of the parts before it. */
async function readTensors(model: ModelConfig, read: (part: number) => Promise<readonly NamedArray[]>, into: Weights): Promise<void> {
  for (let part = 0; part < partition(model).length; part++) {
    // What is in every part (`step`) is taken once.
    for (const array of await read(part)) if (!(array.name in into)) Object.assign(into, tensorsOf([array]));
  }
}

/**
 * Computes a shard's update from the base weights and the shard's optimizer state. Leaves no tensors behind, also when it
 * fails: wasm memory never shrinks, so they would be lost to all later tasks of the isolate.
 */
export async function runTrainTask(task: TrainTask, parts: TaskParts, trainTokens: number, read: ReadTokens): Promise<TrainOutcome> {
  return task.training.steps === 1 ? gradientTask(task, parts, trainTokens, read) : localSteps(task, parts, trainTokens, read);
}

/** The mean gradient over the shard's part of one batch. */
async function gradientTask(task: TrainTask, parts: TaskParts, trainTokens: number, read: ReadTokens): Promise<TrainOutcome> {
  const { training, model, round, shard } = task;
  const [first, end] = sequencesOf(training, round, shard);
  const count = end - first;
  if (count === 0)
    throw new Error(`train task: expected at most ${training.batch} shards for a batch of ${training.batch}, got ${training.shards}`);
  const windows = await readWindows(task, first, count, trainTokens, read);
  const { inputs, labels } = windows.batch(0, count);
  const weights: Weights = {};
  const gradients: Weights = {};
  try {
    await readTensors(model, (part) => parts.weights(part), weights);
    const computed = lossAndGradients(weights, model, inputs, labels, count, planPasses(model, training, count));
    Object.assign(gradients, computed.gradients);
    for (const [part, delta] of splitByPart(model, gradients).entries()) await parts.write(part, delta, {});
    return { loss: computed.loss, sequences: count, tokens: count * model.context };
  } finally {
    tf.dispose([weights, gradients]);
  }
}

/** How far the shard moved in its local steps: base minus where it went. */
async function localSteps(task: TrainTask, parts: TaskParts, trainTokens: number, read: ReadTokens): Promise<TrainOutcome> {
  const { training, model, round, shard } = task;
  const { steps, batch } = training;
  const windows = await readWindows(task, sequencesOf(training, round, shard)[0], steps * batch, trainTokens, read);
  const optimizer = createOptimizer(training.optimizer);
  const weights: Weights = {};
  const state: Weights = {};
  try {
    await readTensors(model, (part) => parts.weights(part), weights);
    await readTensors(model, (part) => parts.state(part), state);
    if (Object.keys(state).length === 0) Object.assign(state, optimizer.init(weights));
    const stepped = { model, plan: planPasses(model, training, batch), clipNorm: training.clipNorm, optimizer, weights, state };
    const totalSteps = totalRounds(training, model) * steps;
    let lossTotal = 0;
    for (let step = 0; step < steps; step++) {
      const scale = learningRateScale(training.schedule, round * steps + step, totalSteps) * task.lrScale;
      lossTotal += trainStep(stepped, windows.batch(step * batch, batch), scale);
      await breathe();
    }
    const states = splitByPart(model, state);
    for (const [part, moved] of splitByPart(model, weights).entries()) {
      for (const { name, data } of await parts.weights(part)) subtractFrom(data, moved[name]!);
      await parts.write(part, moved, states[part]!);
    }
    const sequences = steps * batch;
    return { loss: lossTotal / steps, sequences, tokens: sequences * model.context };
  } finally {
    tf.dispose([weights, state]);
  }
}

/** tensor = before - tensor, in place. */
function subtractFrom(before: Float32Array, tensor: tf.Tensor): void {
  const values = valuesInPlace(tensor);
  for (let at = 0; at < values.length; at++) values[at] = before[at]! - values[at]!;
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
