/**
 * The training protocol as a pure reducer: (state, event, now) -> state and reply, no platform in sight.
 *
 * A run is a sequence of rounds; a round is one task per shard. Trainers lease tasks and submit results; a task whose
 * lease has expired goes to the next who asks. When a round has all its results the shell reduces them and reports
 * `reduced`. After the last round the validation windows are scored in the same way, one task per shard.
 * `(run, round, shard)` counts once: later results are duplicates if equal, conflicts if not, and change nothing.
 */
import type { Hash } from "../../shared/artifacts.ts";
import type { ModelConfig, TrainingConfig } from "../../shared/config.ts";
import type { EvaluateResult, Lease, Submission, SubmissionReply, Task, TrainResult } from "../../shared/training/task.ts";
import { canonicalJson, hashSchema } from "../../shared/artifacts.ts";
import { shardRange } from "../../shared/training/data-order.ts";

/** A trainer that is silent for this long is taken for dead. Several times the longest task of any preset. */
export const LEASE_MS = 120_000;
/** Unusable results of one round after which the run is given up: a pure task would go wrong again. */
export const MAX_BAD_RESULTS = 8;
/** Sequences per forward pass of an evaluation. */
const EVALUATION_BATCH = 16;

export interface RunSpec {
  run: string;
  preset: string;
  dataset: Hash;
  tokenizer: Hash;
  model: ModelConfig;
  training: TrainingConfig;
  rounds: number;
}

/** The checkpoint that the current round starts from. */
export interface Base {
  checkpoint: Hash;
  weights: Hash;
  outer: Hash | null;
  inner: (Hash | null)[];
  tokens: number;
}

interface LeaseRecord {
  id: string;
  trainer: string;
  expiresAt: number;
}

export interface RunState {
  spec: RunSpec;
  phase: "training" | "evaluating" | "done" | "failed";
  /** Rounds completed. */
  round: number;
  base: Base;
  leases: (LeaseRecord | null)[];
  results: (TrainResult | EvaluateResult | null)[];
  /** Results that were refused or came twice, by reason. */
  counts: Record<string, number>;
  /** Unusable results in this round. */
  bad: number;
  valLoss: number | null;
  error: string | null;
}

export function initialState(spec: RunSpec, base: Base): RunState {
  const empty = () => Array.from({ length: spec.training.shards }, () => null);
  return { spec, phase: "training", round: 0, base, leases: empty(), results: empty(), counts: {}, bad: 0, valLoss: null, error: null };
}

function taskOf(state: RunState, shard: number): Task {
  const { spec, base, round } = state;
  const common = { run: spec.run, round, shard, base: base.checkpoint, weights: base.weights, dataset: spec.dataset, model: spec.model };
  return state.phase === "training"
    ? { kind: "train", ...common, inner: base.inner[shard] ?? null, training: spec.training }
    : { kind: "evaluate", ...common, shards: spec.training.shards, batch: EVALUATION_BATCH };
}

/** Hands out the first task that has neither a result nor a living lease. */
export function lease(state: RunState, trainer: string, id: string, now: number): { state: RunState; lease: Lease | null } {
  if (isOver(state)) return { state, lease: null };
  const shard = state.results.findIndex((result, index) => result === null && (state.leases[index]?.expiresAt ?? 0) <= now);
  if (shard < 0) return { state, lease: null };
  const expiresAt = now + LEASE_MS;
  const leases = state.leases.with(shard, { id, trainer, expiresAt });
  return { state: { ...state, leases }, lease: { id, task: taskOf(state, shard), expiresAt } };
}

/** Nothing more will happen in this run. */
export function isOver(state: RunState): boolean {
  return state.phase === "done" || state.phase === "failed";
}

/** The process died and with it, most likely, whoever held a lease. Nobody is hurt if not: a result counts without one. */
export function restarted(state: RunState): RunState {
  return { ...state, leases: state.leases.map(() => null) };
}

/** The run is given up, unless it is over. */
export function failed(state: RunState, error: string): RunState {
  return isOver(state) ? state : { ...state, phase: "failed", error };
}

function spoiled(state: RunState, shard: number, reason: string): RunState {
  const next = count({ ...state, bad: state.bad + 1, leases: state.leases.with(shard, null) }, reason);
  return next.bad < MAX_BAD_RESULTS
    ? next
    : failed(next, `round ${state.round}: expected usable results, got ${next.bad} that are not (last: ${reason})`);
}

function count(state: RunState, reason: string): RunState {
  return { ...state, counts: { ...state.counts, [reason]: (state.counts[reason] ?? 0) + 1 } };
}

/** Takes a result if it belongs to the current round and base and is the first of its shard. */
export function submit(state: RunState, submission: Submission): { state: RunState; reply: SubmissionReply } {
  const refuse = (reason: string) => ({ state: count(state, reason), reply: { accepted: false as const, reason } });
  const { result, shard } = submission;
  if (submission.run !== state.spec.run) return refuse("wrong-run");
  if (submission.round !== state.round || submission.base !== state.base.checkpoint) return refuse("stale");
  if (!Number.isInteger(shard) || shard < 0 || shard >= state.results.length) return refuse("wrong-shard");
  if (isOver(state) || result.kind !== (state.phase === "training" ? "train" : "evaluate")) return refuse("wrong-phase");
  const known = state.results[shard];
  if (known !== null && known !== undefined) {
    if (identity(known) === identity(result)) return { state: count(state, "duplicate"), reply: { accepted: true, duplicate: true } };
    return refuse("conflict");
  }
  const fault = faultOf(state, shard, result);
  if (fault !== null) return { state: spoiled(state, shard, fault), reply: { accepted: false, reason: fault } };
  // Whoever computed it: a task is a pure function, so a result after the lease's end is as good as the one that would replace it.
  const results = state.results.with(shard, result);
  const leases = state.leases.with(shard, null);
  return { state: { ...state, results, leases }, reply: { accepted: true, duplicate: false } };
}

/** What must agree between two results of one task: all but the time it took. */
function identity(result: TrainResult | EvaluateResult): string {
  return canonicalJson({ ...result, milliseconds: 0 });
}

/** What is wrong with a result, or null. What it claims to have consumed decides its weight, so it must be what was asked. */
function faultOf(state: RunState, shard: number, result: TrainResult | EvaluateResult): string | null {
  const numbers = result.kind === "train" ? [result.loss, result.sequences, result.tokens] : [result.lossSum, result.targets];
  if (![...numbers, result.milliseconds].every((value) => Number.isFinite(value) && value >= 0)) return "not-finite";
  if (result.kind === "evaluate") return null;
  const { training, model } = state.spec;
  const [first, end] = shardRange(training.batch, shard, training.shards);
  const sequences = training.steps === 1 ? end - first : training.steps * training.batch;
  if (result.sequences !== sequences || result.tokens !== sequences * model.context) return "wrong-amount";
  const named = hashSchema.safeParse(result.delta).success;
  const inner = training.steps === 1 ? result.inner === null : hashSchema.safeParse(result.inner).success;
  return named && inner ? null : "wrong-object";
}

/** True when the shell has something to do: all results of the round are there. */
export function isRoundComplete(state: RunState): boolean {
  return !isOver(state) && state.results.every((result) => result !== null);
}

/** The round's update has become a checkpoint. A report for another round changes nothing. */
export function reduced(state: RunState, round: number, base: Base): RunState {
  if (state.phase !== "training" || round !== state.round) return state;
  const next = state.round + 1;
  return {
    ...initialState(state.spec, base),
    round: next,
    counts: state.counts,
    phase: next >= state.spec.rounds ? "evaluating" : "training",
  };
}

/** A delta turned out to be unusable: its task is open again. */
export function reissue(state: RunState, round: number, shard: number, reason: string): RunState {
  if (state.phase !== "training" || round !== state.round) return state;
  return spoiled({ ...state, results: state.results.with(shard, null) }, shard, reason);
}

/** All validation slices are scored: the run is done. */
export function evaluated(state: RunState): RunState {
  if (state.phase !== "evaluating" || !isRoundComplete(state)) return state;
  const parts = state.results as EvaluateResult[];
  const targets = parts.reduce((sum, part) => sum + part.targets, 0);
  const valLoss = targets === 0 ? null : parts.reduce((sum, part) => sum + part.lossSum, 0) / targets;
  return { ...state, phase: "done", valLoss };
}
