/**
 * The state of a training run as plain JSON, and functions that read it. run.ts contains the events that change it. `slots`
 * holds all data per shard, so the coordinator can store the row of a shard alone.
 */
import { canonicalJson, type Hash } from "../../artifacts.ts";
import type { SupervisionConfig, TrainingConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import type { Parts, TaskResult, TrainResult } from "./task.ts";

export interface RunSpec {
  run: string;
  preset: string;
  dataset: Hash;
  /** Validation tokens of the dataset, for checking evaluations. Absent in runs of earlier versions. */
  valTokens?: number;
  /** Null for a classifier. */
  tokenizer: Hash | null;
  /** The tokens that end a text; they go into every checkpoint. Absent if the dataset lists none. */
  endTokens?: number[];
  model: NetworkConfig;
  training: TrainingConfig;
  supervision: SupervisionConfig;
  rounds: number;
  /** The rate, in operations per second, with which the run's tasks were planned. Absent: the shipped rate. */
  cpuRate?: number;
}

/** A checkpoint with its content, so that a run can continue without a read from storage. */
export interface Base {
  checkpoint: Hash;
  /** Rounds completed. */
  round: number;
  tokens: number;
  lrScale: number;
  weights: Parts;
  outer: Parts | null;
  inner: (Parts | null)[];
}

export interface LeaseRecord {
  id: string;
  trainer: string;
  givenAt: number;
  expiresAt: number;
  /** Version of the arithmetic of the trainer (arithmetic.ts); absent in leases that an earlier version gave. */
  arithmetic?: number;
  /** True if the trainer gave the task back, because it could not compute it. */
  isReleased?: true;
}

/** A trainer's result for a task. An audited task needs two equal votes. */
export interface Vote {
  lease: string;
  trainer: string;
  result: TaskResult;
}

/** The state of one shard in the current round. */
export interface Slot {
  /** All leases of this round, even expired ones. Only a trainer that had a lease may submit a result. */
  leases: LeaseRecord[];
  votes: Vote[];
  result: TaskResult | null;
  /** Leases with an unusable result. A repeated submission does not count again. */
  bad: { lease: string; trainer: string }[];
}

export interface TrainerRecord {
  seenAt: number;
  strikes: number;
  quarantined: boolean;
  /**
   * The trainer's measured rate, in operations per second (cpu-rate.ts). Absent until one of its tasks was long enough to
   * measure.
   */
  cpuRate?: number;
}

export interface Evaluated {
  base: Base;
  valLoss: number;
}

export interface Rollback {
  fromRound: number;
  toRound: number;
  lrScale: number;
  reason: string;
}

export interface RunState {
  spec: RunSpec;
  phase: "training" | "evaluating" | "done" | "failed";
  paused: boolean;
  /** The checkpoint that the current round starts from. When the run is done: its best checkpoint. */
  base: Base;
  slots: Slot[];
  /** Mean losses of recent rounds, for detecting a divergence. */
  recentLosses: number[];
  /** The checkpoint that a rollback returns to. It is some rounds old, because the newest checkpoints may be part of the divergence. */
  rollbackPoint: Base;
  /** The checkpoint that becomes the rollback point at the next multiple of ROLLBACK_POINT_EVERY rounds. */
  nextRollbackPoint: Base;
  /** The reason for a rollback after a divergence; null when the coordinator has done the rollback. */
  diverged: string | null;
  /** The reason for a rollback after an unreadable part; null when the coordinator has done the rollback. */
  damaged: string | null;
  rollbacks: Rollback[];
  best: Evaluated | null;
  /** The newest evaluated checkpoints, oldest first. A branch can start from them. */
  kept: Evaluated[];
  evaluations: number;
  /** Number of evaluations after the evaluation of the best checkpoint. */
  evaluationsSinceBest: number;
  /** Why training ends after the next evaluation; null while training continues. */
  stopReason: string | null;
  trainers: Record<string, TrainerRecord>;
  /** Milliseconds of the longest recent task; decreases slowly. Leases are a multiple of it. */
  slowestMs: number | null;
  /** Total milliseconds from lease to result, over all trainers. */
  spentMs: number;
  /** Milliseconds of `spentMs` in which trainers computed training tasks, by their own report. */
  computedMs: number;
  tasks: number;
  /** Total bytes of updates and of states in the last round. */
  roundBytes: { delta: number; inner: number };
  firstLeaseAt: number | null;
  evaluatingSince: number | null;
  /** Refused and duplicate results, counted by reason. */
  counts: Record<string, number>;
  error: string | null;
}

export const emptySlots = (shards: number): Slot[] =>
  Array.from({ length: shards }, () => ({ leases: [], votes: [], result: null, bad: [] }));

export function initialState(spec: RunSpec, base: Base): RunState {
  return {
    spec,
    phase: "training",
    paused: false,
    base,
    slots: emptySlots(spec.training.shards),
    recentLosses: [],
    rollbackPoint: base,
    nextRollbackPoint: base,
    diverged: null,
    damaged: null,
    rollbacks: [],
    best: null,
    kept: [],
    evaluations: 0,
    evaluationsSinceBest: 0,
    stopReason: null,
    trainers: {},
    slowestMs: null,
    spentMs: 0,
    computedMs: 0,
    tasks: 0,
    roundBytes: { delta: 0, inner: 0 },
    firstLeaseAt: null,
    evaluatingSince: null,
    counts: {},
    error: null,
  };
}

/** Counts an event. */
export function counted(state: RunState, reason: string): RunState {
  return { ...state, counts: { ...state.counts, [reason]: (state.counts[reason] ?? 0) + 1 } };
}

/** The text of a result. Two results of a task agree if their texts are equal. */
export const identityOf = (result: TaskResult): string => canonicalJson(result);

/** True if the run has ended. */
export function isOver(state: RunState): boolean {
  return state.phase === "done" || state.phase === "failed";
}

/** True if every shard has its result. */
export function isRoundComplete(state: RunState): boolean {
  return !isOver(state) && state.slots.every((slot) => slot.result !== null);
}

/** The training results of a complete round, in shard order. */
export function trainResults(state: RunState): TrainResult[] {
  return state.slots.map(({ result }, shard) => {
    if (result?.kind !== "train")
      throw new Error(`round ${state.base.round}: expected a training result of shard ${shard}, got ${result?.kind}`);
    return result;
  });
}

/** Mean training loss of a complete round, weighted by sequences, in nats per token. */
export function roundLoss(state: RunState): number {
  const results = trainResults(state);
  const sequences = results.reduce((sum, result) => sum + result.sequences, 0);
  return results.reduce((sum, result) => sum + result.loss * result.sequences, 0) / sequences;
}

/** The checkpoints that the run still needs. */
export function retained(state: RunState): Base[] {
  const evaluated = [...state.kept, ...(state.best === null ? [] : [state.best])].map(({ base }) => base);
  return [state.base, state.rollbackPoint, state.nextRollbackPoint, ...evaluated];
}

export function partsOf({ weights, outer, inner }: Base): Hash[] {
  return [weights, outer ?? [], ...inner.map((parts) => parts ?? [])].flat();
}

/** The hashes of the objects in a result. */
export const namesIn = (result: TaskResult | null): Hash[] => (result?.kind === "train" ? [result.delta, result.inner ?? []].flat() : []);

/** The hashes of all objects that the run still needs: those of the retained checkpoints and of this round's results. */
export function retainedHashes(state: RunState): Set<Hash> {
  return new Set([
    ...retained(state).flatMap((base) => [base.checkpoint, partsOf(base)].flat()),
    ...state.slots.flatMap(({ votes, result }) => [...votes.map((vote) => vote.result), result].flatMap(namesIn)),
  ]);
}
