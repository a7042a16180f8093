/**
 * Computes a task from its inputs alone: no storage, no clock, no randomness except the task's seed. A second computation on the
 * same kind of machine therefore gives the same bits.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NetworkConfig } from "../../network-config.ts";
import { lossAndGradients, lossSum } from "../../model/backward/loss.ts";
import { partition, splitByPart } from "../../model/formats/partition.ts";
import type { NamedArray } from "../../model/formats/safetensors.ts";
import { tensorsOf } from "../../model/formats/weights-file.ts";
import type { Weights } from "../../model/weights.ts";
import { valuesInPlace } from "../../tensor/engine/values.ts";
import { objectiveOf } from "../objectives/list.ts";
import type { EvaluateTask, TrainTask } from "../protocol/task.ts";
import { readExamples, type Stream } from "./examples.ts";
import { createOptimizer, learningRateScale } from "./optimizer.ts";
import { optimizerStep } from "./optimizer-step.ts";
import type { TaskPlan } from "./plan-task.ts";
import { totalRounds } from "./rounds.ts";

/**
 * The objects that a task reads and writes, part by part (model/formats/partition.ts). JavaScript's heap holds one part at a
 * time; the tensors are in wasm memory.
 */
export interface TaskParts {
  /** Reads the base weights of a part. */
  weights(part: number): Promise<readonly NamedArray[]>;
  /** Reads the shard's optimizer state of a part; empty in the first round. */
  state(part: number): Promise<readonly NamedArray[]>;
  /** Stores a part's update and new state; the state may be empty. Resolves when the caller may free the tensors. */
  write(part: number, delta: Weights, state: Weights): Promise<void>;
}

export interface TrainOutcome {
  /** Mean training loss, nats per target. */
  loss: number;
  /** Number of examples that the task learned from. */
  sequences: number;
  tokens: number;
}

/** Lets other requests run between steps. It also updates the clock, which stands still while a Worker computes. */
const yieldToEventLoop = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Adds the tensors of all parts to `into`. The caller disposes `into`, even after an error. */
async function readTensors(model: NetworkConfig, read: (part: number) => Promise<readonly NamedArray[]>, into: Weights): Promise<void> {
  for (let part = 0; part < partition(model).length; part++) {
    // `step` is in every part but becomes one tensor.
    for (const array of await read(part)) if (!(array.name in into)) Object.assign(into, tensorsOf([array]));
  }
}

/**
 * Computes a shard's update from the base weights and the shard's optimizer state. Frees all its tensors, even after an error. A
 * leaked tensor would take memory from all later tasks of the isolate, because wasm memory never shrinks.
 */
export async function runTrainTask(task: TrainTask, plan: TaskPlan, parts: TaskParts, stream: Stream): Promise<TrainOutcome> {
  return task.training.steps === 1 ? gradientTask(task, plan, parts, stream) : localSteps(task, plan, parts, stream);
}

/** Computes the mean gradient over the shard's part of a batch. */
async function gradientTask(task: TrainTask, plan: TaskPlan, parts: TaskParts, stream: Stream): Promise<TrainOutcome> {
  const { training, model } = task;
  const { examples, lossHead } = objectiveOf(training);
  const batch = (await readExamples(task, plan.range, stream)).batch(0, plan.batch);
  const weights: Weights = {};
  const gradients: Weights = {};
  try {
    await readTensors(model, (part) => parts.weights(part), weights);
    const computed = lossAndGradients(weights, model, batch, lossHead, plan.passes);
    Object.assign(gradients, computed.gradients);
    await yieldToEventLoop();
    for (const [part, delta] of splitByPart(model, gradients).entries()) await parts.write(part, delta, {});
    return { loss: computed.loss, sequences: plan.batch, tokens: plan.batch * examples.tokens(model) };
  } finally {
    tf.dispose([weights, gradients]);
  }
}

/** Trains for some local steps. The update is base weights minus local weights. */
async function localSteps(task: TrainTask, plan: TaskPlan, parts: TaskParts, stream: Stream): Promise<TrainOutcome> {
  const { training, model, round } = task;
  const { steps, clipNorm } = training;
  const { examples, lossHead } = objectiveOf(training);
  const read = await readExamples(task, plan.range, stream);
  const optimizer = createOptimizer(training.optimizer);
  const weights: Weights = {};
  const state: Weights = {};
  try {
    await readTensors(model, (part) => parts.weights(part), weights);
    await readTensors(model, (part) => parts.state(part), state);
    if (Object.keys(state).length === 0) Object.assign(state, optimizer.init(weights));
    const stepped = { model, lossHead, plan: plan.passes, clipNorm, optimizer, weights, state };
    const totalSteps = totalRounds(training, model) * steps;
    let lossTotal = 0;
    for (let step = 0; step < steps; step++) {
      const scale = learningRateScale(training.schedule, round * steps + step, totalSteps) * task.lrScale;
      lossTotal += optimizerStep(stepped, read.batch(step * plan.batch, plan.batch), scale);
      await yieldToEventLoop();
    }
    const states = splitByPart(model, state);
    for (const [part, moved] of splitByPart(model, weights).entries()) {
      for (const { name, data } of await parts.weights(part)) subtractFrom(data, moved[name]!);
      await parts.write(part, moved, states[part]!);
    }
    const sequences = steps * plan.batch;
    return { loss: lossTotal / steps, sequences, tokens: sequences * examples.tokens(model) };
  } finally {
    tf.dispose([weights, state]);
  }
}

/** tensor = before - tensor, in place. */
function subtractFrom(before: Float32Array, tensor: tf.Tensor): void {
  const values = valuesInPlace(tensor);
  for (let at = 0; at < values.length; at++) values[at] = before[at]! - values[at]!;
}

/** Scores the validation examples whose index modulo `shards` is `shard`. */
export async function runEvaluateTask(task: EvaluateTask, weights: Weights, stream: Stream): Promise<{ lossSum: number; targets: number }> {
  const { model, shard, shards } = task;
  const all = Array.from({ length: objectiveOf(task).examples.validationCount(stream.length, model) }, (_, example) => example);
  const mine = all.filter((example) => example % shards === shard);
  return evaluateExamples(task, weights, stream, mine);
}

/** Scores some validation examples, `batch` of them in a pass. `seen` gets the records of each pass. */
export async function evaluateExamples(
  { model, objective, batch }: Pick<EvaluateTask, "model" | "objective" | "batch">,
  weights: Weights,
  stream: Stream,
  wanted: readonly number[],
  seen?: (records: readonly Uint16Array[]) => void,
): Promise<{ lossSum: number; targets: number }> {
  const { examples, lossHead } = objectiveOf({ objective });
  const total = { lossSum: 0, targets: 0 };
  for (let first = 0; first < wanted.length; first += batch) {
    const records: Uint16Array[] = [];
    for (const example of wanted.slice(first, first + batch)) {
      const start = examples.recordStart(example, model);
      records.push(await stream.read(start, Math.min(stream.length, start + examples.recordLength(model))));
    }
    const part = lossSum(weights, model, examples.batch(records, model), lossHead);
    total.lossSum += part.lossSum;
    total.targets += part.targets;
    seen?.(records);
    await yieldToEventLoop();
  }
  return total;
}
