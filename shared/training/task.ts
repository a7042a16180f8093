/**
 * What travels between the coordinator and a trainer: a lease on one task, and the result of that task.
 *
 * A task is a pure function of what it names. Everything large is an object named by its hash and is read and
 * written through the coordinator, so a trainer needs nothing else.
 */
import type { Hash } from "../artifacts.ts";
import type { ModelConfig, TrainingConfig } from "../config.ts";

/** Compute one shard's update of one round. */
export interface TrainTask {
  kind: "train";
  run: string;
  round: number;
  shard: number;
  /** The checkpoint that the update is relative to. */
  base: Hash;
  weights: Hash;
  /** The shard's local optimizer state; null at the start and whenever `training.steps` = 1. */
  inner: Hash | null;
  dataset: Hash;
  model: ModelConfig;
  training: TrainingConfig;
}

/** Score one slice of the validation tokens with one checkpoint's weights. */
export interface EvaluateTask {
  kind: "evaluate";
  run: string;
  round: number;
  shard: number;
  /** How many slices the validation windows are dealt into; this task takes window numbers = shard mod shards. */
  shards: number;
  base: Hash;
  weights: Hash;
  dataset: Hash;
  model: ModelConfig;
  /** Sequences per forward pass. */
  batch: number;
}

export type Task = TrainTask | EvaluateTask;

/** A right to work on a task until a time. Another trainer gets the task when it has passed. */
export interface Lease {
  id: string;
  task: Task;
  /** Milliseconds since 1970, by the coordinator's clock. */
  expiresAt: number;
}

/** The update of one shard. `delta` and `inner` were written with `writeObject` before. */
export interface TrainResult {
  kind: "train";
  /** Mean gradient (`steps` = 1) or base minus local weights (`steps` > 1), as safetensors under the weights' names. */
  delta: Hash;
  inner: Hash | null;
  /** Mean training loss over the task, nats per token. */
  loss: number;
  /** Sequences consumed: the weight of this delta in the mean over shards. */
  sequences: number;
  tokens: number;
  /** Wall-clock milliseconds of computing, for rates; never part of a checkpoint. */
  milliseconds: number;
}

/** A sum over validation targets, so that slices add up exactly to the mean. */
export interface EvaluateResult {
  kind: "evaluate";
  lossSum: number;
  targets: number;
  milliseconds: number;
}

export type TaskResult = TrainResult | EvaluateResult;

export interface Submission {
  lease: string;
  trainer: string;
  run: string;
  round: number;
  shard: number;
  base: Hash;
  result: TaskResult;
}

/** `accepted` is true also for a repetition of what was accepted before. */
export type SubmissionReply = { accepted: true; duplicate: boolean } | { accepted: false; reason: string };
