/**
 * The state of a training run: plain JSON, and questions about it. The events that change it are in run.ts.
 * Everything per shard is in `slots`, so that the coordinator can store a shard's row alone.
 */
import { canonicalJson, type Hash } from "../../artifacts.ts";
import type { ModelConfig, SupervisionConfig, TrainingConfig } from "../../config.ts";
import type { Parts, TaskResult, TrainResult } from "./task.ts";

export interface RunSpec {
  run: string;
  preset: string;
  dataset: Hash;
  /** Validation tokens of the dataset, by which evaluations are checked; absent in runs that an earlier version began. */
  valTokens?: number;
  tokenizer: Hash;
  /** The tokens that end a text of the dataset, which checkpoints then state; absent where the dataset has none. */
  endTokens?: number[];
  model: ModelConfig;
  training: TrainingConfig;
  supervision: SupervisionConfig;
  rounds: number;
}

/** A checkpoint with everything that it names: continuing from it needs no read. */
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
}

/** A trainer's result for a task; an audited task needs two that agree. */
export interface Vote {
  lease: string;
  trainer: string;
  result: TaskResult;
}

/** One shard in the current round. */
export interface Slot {
  /** All leases of this round, expired ones too: a result is accepted only from a trainer that was given the task. */
  leases: LeaseRecord[];
  votes: Vote[];
  result: TaskResult | null;
  /** Leases whose result was unusable: each counts once, however often it is submitted. */
  bad: { lease: string; trainer: string }[];
}

export interface TrainerRecord {
  seenAt: number;
  strikes: number;
  quarantined: boolean;
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
  /** The checkpoint that the current round starts from; the best checkpoint when the run is done. */
  base: Base;
  slots: Slot[];
  /** Losses of the last rounds, from which a divergence is told. */
  recentLosses: number[];
  /** Where a rollback goes: not to the last checkpoint, which may be part of the divergence. */
  rollbackPoint: Base;
  /** The next rollback point, once it is old enough. */
  nextRollbackPoint: Base;
  /** Why the run has to go back, until the coordinator has done it. */
  diverged: string | null;
  /** Which part of the current checkpoint cannot be read, until the coordinator has gone back. */
  damaged: string | null;
  rollbacks: Rollback[];
  best: Evaluated | null;
  /** Evaluated checkpoints that are kept for branches, oldest first. */
  kept: Evaluated[];
  evaluations: number;
  /** Evaluations since the best checkpoint. */
  evaluationsSinceBest: number;
  /** Why training ends after the next evaluation; null while it goes on. */
  stopReason: string | null;
  trainers: Record<string, TrainerRecord>;
  /** The longest recent task, slowly forgotten, in milliseconds; decides how long a lease is. */
  slowestMs: number | null;
  /** Trainers' time from lease to result, milliseconds. */
  spentMs: number;
  /** The part of it that trainers say they computed training tasks. */
  computedMs: number;
  tasks: number;
  /** Bytes of updates and states of the last round. */
  roundBytes: { delta: number; inner: number };
  firstLeaseAt: number | null;
  evaluatingSince: number | null;
  /** Refused and duplicate results, by reason. */
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

/** Notes that something happened once more. */
export function counted(state: RunState, reason: string): RunState {
  return { ...state, counts: { ...state.counts, [reason]: (state.counts[reason] ?? 0) + 1 } };
}

/** The text that must agree between two results of one task. */
export const identityOf = (result: TaskResult): string => canonicalJson(result);

/** True when nothing more will happen in this run. */
export function isOver(state: RunState): boolean {
  return state.phase === "done" || state.phase === "failed";
}

/** True when every shard has its result. */
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

/** Mean training loss of a complete round over its sequences, nats per token. */
export function roundLoss(state: RunState): number {
  const results = trainResults(state);
  const sequences = results.reduce((sum, result) => sum + result.sequences, 0);
  return results.reduce((sum, result) => sum + result.loss * result.sequences, 0) / sequences;
}

/** Checkpoints whose objects must stay. */
export function retained(state: RunState): Base[] {
  const evaluated = [...state.kept, ...(state.best === null ? [] : [state.best])].map(({ base }) => base);
  return [state.base, state.rollbackPoint, state.nextRollbackPoint, ...evaluated];
}

export function partsOf({ weights, outer, inner }: Base): Hash[] {
  return [weights, outer ?? [], ...inner.map((parts) => parts ?? [])].flat();
}

/** Objects that a result names. */
export const namesIn = (result: TaskResult | null): Hash[] => (result?.kind === "train" ? [result.delta, result.inner ?? []].flat() : []);

/** Names of all objects that must stay: those of the retained checkpoints and of the results of the current round. */
export function retainedHashes(state: RunState): Set<Hash> {
  return new Set([
    ...retained(state).flatMap((base) => [base.checkpoint, partsOf(base)].flat()),
    ...state.slots.flatMap(({ votes, result }) => [...votes.map((vote) => vote.result), result].flatMap(namesIn)),
  ]);
}
