/**
 * The messages between the coordinator and a trainer: a lease on a task, and the result of that task.
 *
 * A task is a pure function of the objects that it names. Everything large is a list of parts named by their hashes; the
 * trainer reads and writes them through the coordinator and needs nothing else.
 */
import type { Hash } from "../../artifacts.ts";
import type { ModelConfig, ObjectiveName, TrainingConfig } from "../../config.ts";

/** Parameters, optimizer states and updates as their parts in order; see model/formats/partition.ts. */
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
  /** Slices of the validation examples; this task scores the examples whose number is `shard` modulo `shards`. */
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

/** The right to work on a task until a time; after it another trainer gets the task. */
export interface Lease {
  id: string;
  task: Task;
  /** Milliseconds since 1970, by the coordinator's clock. */
  expiresAt: number;
}

/** The update of one shard, whose parts have been written. */
export interface TrainResult {
  kind: "train";
  /** Mean gradient (`steps` = 1) or base minus local weights (`steps` > 1), under the weights' names, compressed as the run asks. */
  delta: Parts;
  inner: Parts | null;
  /** Mean training loss over the task, nats per target. */
  loss: number;
  /** Examples consumed: the weight of this delta in the mean over shards. */
  sequences: number;
  tokens: number;
  /** Bytes of the update and of the state as they travelled. */
  deltaBytes: number;
  innerBytes: number;
}

/** Sums over validation targets: slices add up to the mean over all. */
export interface EvaluateResult {
  kind: "evaluate";
  lossSum: number;
  targets: number;
}

export type TaskResult = TrainResult | EvaluateResult;

export interface Submission {
  lease: string;
  /** Milliseconds of computing by the trainer's own clock, without transfers. Shown, never billed: nothing proves it. */
  computeMs: number;
  trainer: string;
  run: string;
  round: number;
  shard: number;
  base: Hash;
  result: TaskResult;
}

/** `accepted` is true also for a repetition of an accepted result. */
export type SubmissionReply = { accepted: true; duplicate: boolean } | { accepted: false; reason: string };
