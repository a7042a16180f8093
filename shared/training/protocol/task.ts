/**
 * The messages between the coordinator and a trainer: a lease on a task, and the result of the task.
 *
 * A task is a pure function of the objects that it names. Large data are lists of parts, named by their hashes. The trainer
 * reads and writes parts through the coordinator and needs no other data.
 */
import type { Hash } from "../../artifacts.ts";
import type { ObjectiveName, TrainingConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";

/** The parts of parameters, an optimizer state or an update, in order; see model/formats/partition.ts. */
export type Parts = Hash[];

/** The task to compute a shard's update of a round. */
export interface TrainTask {
  kind: "train";
  run: string;
  round: number;
  shard: number;
  /** The checkpoint that the update starts from. */
  base: Hash;
  weights: Parts;
  /** The shard's state: its local optimizer (if `training.steps` > 1) and its rounding errors (if compressed). Null in the first round. */
  inner: Parts | null;
  dataset: Hash;
  model: NetworkConfig;
  training: TrainingConfig;
  /** Factor on all learning rates, for example 0.5 after a rollback. */
  lrScale: number;
}

/** The task to score a slice of the validation examples with a checkpoint's weights. */
export interface EvaluateTask {
  kind: "evaluate";
  run: string;
  round: number;
  shard: number;
  /** Number of slices. The task scores the examples whose index modulo `shards` is `shard`. */
  shards: number;
  base: Hash;
  weights: Parts;
  dataset: Hash;
  objective: ObjectiveName;
  model: NetworkConfig;
  /** Examples per forward pass. */
  batch: number;
}

export type Task = TrainTask | EvaluateTask;

/** A lease on a task. After `expiresAt`, another trainer may get the task. */
export interface Lease {
  id: string;
  task: Task;
  /** Milliseconds since 1970, by the coordinator's clock. */
  expiresAt: number;
}

/** A run's answer to a trainer that asks for a task. */
export interface LeaseReply {
  lease: Lease | null;
  /** True if the run will never have a task again. */
  over: boolean;
  /**
   * The coordinator's version of the arithmetic (arithmetic.ts). Present only if the trainer has another version; the trainer
   * should ask again after the deployment.
   */
  otherArithmetic?: number;
}

/** The result of a training task. Its parts are already stored. */
export interface TrainResult {
  kind: "train";
  /** The update: mean gradient (`steps` = 1) or base weights minus local weights (`steps` > 1), in the run's compression. */
  delta: Parts;
  inner: Parts | null;
  /** Mean training loss of the task, nats per target. */
  loss: number;
  /** Examples consumed: the weight of this update in the mean over shards. */
  sequences: number;
  tokens: number;
  /** Bytes of the update and of the state, as transferred. */
  deltaBytes: number;
  innerBytes: number;
}

/** Sums over a slice of the validation targets. The mean loss is the total `lossSum` divided by the total `targets`. */
export interface EvaluateResult {
  kind: "evaluate";
  lossSum: number;
  targets: number;
}

export type TaskResult = TrainResult | EvaluateResult;

/** A trainer's report about its use of the platform for one submission. */
export interface TrainerReport {
  /** Operations on the bucket by price class: writes and lists, reads. */
  classA: number;
  classB: number;
  /** The time that the queue message waited before the trainer got it, in milliseconds. */
  waitedMs: number;
}

export interface Submission {
  lease: string;
  /** Milliseconds of computation by the trainer's clock, without transfers. Shown but not billed, because it cannot be verified. */
  computeMs: number;
  trainer: string;
  run: string;
  round: number;
  shard: number;
  base: Hash;
  result: TaskResult;
  /** Left out by a trainer without a queue and the bucket. */
  report?: TrainerReport;
}

/** `accepted` is also true if an accepted result is submitted again. */
export type SubmissionReply = { accepted: true; duplicate: boolean } | { accepted: false; reason: string };
