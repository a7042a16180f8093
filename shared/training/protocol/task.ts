/**
 * What travels between the coordinator and a trainer: a lease on one task, and the result of that task.
 *
 * A task is a pure function of what it names. Everything large is a list of parts named by their hashes, read and
 * written through the coordinator, so a trainer needs nothing else.
 */
import type { Hash } from "../../artifacts.ts";
import type { ModelConfig, ObjectiveName, TrainingConfig } from "../../config.ts";

/** Parameters, optimizer states and updates as their parts in order; see model/partition.ts. */
export type Parts = Hash[];

/** Compute one shard's update of one round. */
export interface TrainTask {
  kind: "train";
  run: string;
  round: number;
  shard: number;
  /** The checkpoint that the update is relative to. */
  base: Hash;
  weights: Parts;
  /** The shard's state: local optimizer (`training.steps` > 1) and rounding errors (`compression`); null at the start. */
  inner: Parts | null;
  dataset: Hash;
  model: ModelConfig;
  training: TrainingConfig;
  /** Factor on all learning rates; below 1 after a rollback. */
  lrScale: number;
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
  weights: Parts;
  dataset: Hash;
  objective: ObjectiveName;
  model: ModelConfig;
  /** Examples per forward pass. */
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

/** The update of one shard; its parts were written before. */
export interface TrainResult {
  kind: "train";
  /** Mean gradient (`steps` = 1) or base minus local weights (`steps` > 1), under the weights' names, compressed as the run asks. */
  delta: Parts;
  inner: Parts | null;
  /** Mean training loss over the task, nats per token. */
  loss: number;
  /** Sequences consumed: the weight of this delta in the mean over shards. */
  sequences: number;
  tokens: number;
  /** Bytes of the update and of the state as they travelled. */
  deltaBytes: number;
  innerBytes: number;
}

/** A sum over validation targets, so that slices add up exactly to the mean. */
export interface EvaluateResult {
  kind: "evaluate";
  lossSum: number;
  targets: number;
}

export type TaskResult = TrainResult | EvaluateResult;

export interface Submission {
  lease: string;
  /** Milliseconds of computing by the trainer's own clock, without transfers. Shown, never billed: it is the trainer's word. */
  computeMs: number;
  trainer: string;
  run: string;
  round: number;
  shard: number;
  base: Hash;
  result: TaskResult;
}

/** `accepted` is true also for a repetition of what was accepted before. */
export type SubmissionReply = { accepted: true; duplicate: boolean } | { accepted: false; reason: string };
