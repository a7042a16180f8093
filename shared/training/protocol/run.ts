/**
 * The training protocol as a pure reducer: (state, event, now) -> state and reply. It uses no platform API.
 *
 * A run is a sequence of rounds; a round has one task per shard. Trainers lease tasks and submit results. When a lease expires,
 * the next trainer gets the task. Each `(run, round, shard)` has one result. A second result changes nothing: it is a duplicate
 * if it is equal, else a conflict. After a complete round the coordinator reduces it and reports `reduced`, or rolls back and
 * reports `rolledBack`. Evaluations are in evaluation.ts, leases in leases.ts, votes in audits.ts.
 */
import type { Hash } from "../../artifacts.ts";
import { objectiveOf } from "../objectives/list.ts";
import { ARITHMETIC, isOfVersion, SAME, withoutOtherVersion, type Versions } from "./arithmetic.ts";
import { dropAudits, settle } from "./audits.ts";
import { isHalted, openVotes, taskOf } from "./open-tasks.ts";
import type { Lease, Submission, SubmissionReply, TrainResult } from "./task.ts";
import { centsOf, timed } from "./cost.ts";
import { finishEvaluation } from "./evaluation.ts";
import { faultOf } from "./result-faults.ts";
import {
  counted,
  emptySlots,
  identityOf,
  isOver,
  isRoundComplete,
  roundLoss,
  trainResults,
  type Base,
  type RunState,
  type Slot,
} from "./run-state.ts";
import { expired, isAlone, isLiving, isNoted, isShutOut, leaseMs, seen, strike } from "./leases.ts";

/** After this number of unusable results of a task, the task counts as faulty instead of its trainers. */
export const MAX_BAD_RESULTS = 3;
/** A task may be given back this many times. After that, it waits until its leases end. */
const MAX_RELEASES = 3;
const RECENT_ROUNDS = 8;
const MIN_RECENT_ROUNDS = 4;
/** Rounds between rollback points. A rollback returns to a checkpoint that is 10 to 20 rounds old. */
export const ROLLBACK_POINT_EVERY = 10;
const ROLLBACK_RATE = 0.5;

const withSlot = (state: RunState, shard: number, slot: Slot): RunState => ({ ...state, slots: state.slots.with(shard, slot) });

/**
 * Leases the first task that still needs votes. A trainer votes at most once on a task. A trainer with another version of the
 * arithmetic gets no task and is not recorded as active.
 */
export function lease(
  before: RunState,
  trainer: string,
  id: string,
  now: number,
  versions: Versions = SAME,
): { state: RunState; lease: Lease | null; otherArithmetic?: number } {
  const { trainer: asking, coordinator } = versions;
  if (asking !== coordinator) return { state: before, lease: null, otherArithmetic: coordinator };
  if (isHalted(before) || isShutOut(before, trainer, now)) return { state: before, lease: null };
  const state = dropAudits(seen(before, trainer, now), now);
  const shard = state.slots.findIndex(
    ({ votes, leases }, index) =>
      openVotes(state, index, now) > 0 &&
      !votes.some((vote) => vote.trainer === trainer) &&
      !leases.some((record) => record.trainer === trainer && isLiving(record, now)),
  );
  // A trainer that gets no task is still recorded as active now and then, because an audit may need its vote.
  if (shard < 0) return { state: state.slots === before.slots && isNoted(before, trainer, now) ? before : state, lease: null };
  const expiresAt = now + leaseMs(state);
  const slot = state.slots[shard]!;
  const next = withSlot(state, shard, { ...slot, leases: [...slot.leases, { id, trainer, givenAt: now, expiresAt, arithmetic: asking }] });
  return { state: { ...next, firstLeaseAt: state.firstLeaseAt ?? now }, lease: { id, task: taskOf(state, shard), expiresAt } };
}

/**
 * After a restart all leases are expired, because the trainers have probably died too. A trainer that is alive loses nothing:
 * results of expired leases still count.
 * If the coordinator now has another version of the arithmetic, the tasks of this round that have answers of the earlier
 * version are open again.
 */
export function restarted(state: RunState, version = ARITHMETIC): RunState {
  const slots = state.slots.map((slot) => {
    if (slot.leases.length === 0) return slot;
    return withoutOtherVersion({ ...slot, leases: slot.leases.map(expired) }, version);
  });
  return { ...state, slots };
}

/**
 * Ends a lease whose trainer could not compute the task, without blame: the next trainer gets the task at once. A task that
 * was given back MAX_RELEASES times waits for the end of its leases instead, because it may fail everywhere.
 */
export function released(state: RunState, shard: number, id: string, now: number): RunState {
  const slot = state.slots[shard];
  const given = slot?.leases.find((record) => record.id === id);
  if (slot === undefined || given === undefined || !isLiving(given, now)) return state;
  const isAnswered = [...slot.votes, ...slot.bad].some((answer) => answer.lease === id);
  if (isAnswered || slot.leases.filter((record) => record.isReleased).length >= MAX_RELEASES) return state;
  const leases = slot.leases.map((record) => (record === given ? { ...expired(record), isReleased: true as const } : record));
  return counted(withSlot(state, shard, { ...slot, leases }), "released");
}

/** Ends the run as failed, unless it has already ended. */
export function failed(state: RunState, error: string): RunState {
  return isOver(state) ? state : { ...state, phase: "failed", error };
}

/**
 * Accepts a result if it belongs to the current round and base, has a lease, and is the first result for its shard. `found` is
 * a fault that the caller has found in the result's objects.
 */
export function submit(
  state: RunState,
  submission: Submission,
  now: number,
  version = ARITHMETIC,
  found: string | null = null,
): { state: RunState; reply: SubmissionReply } {
  const refuse = (reason: string) => ({ state: counted(state, reason), reply: { accepted: false as const, reason } });
  const { result, shard } = submission;
  if (submission.run !== state.spec.run) return refuse("wrong-run");
  if (submission.round !== state.base.round || submission.base !== state.base.checkpoint) return refuse("stale");
  if (!Number.isInteger(shard) || shard < 0 || shard >= state.slots.length) return refuse("wrong-shard");
  if (isOver(state) || result.kind !== (state.phase === "training" ? "train" : "evaluate")) return refuse("wrong-phase");
  const slot = state.slots[shard]!;
  const given = slot.leases.find((record) => record.id === submission.lease);
  if (given === undefined) return refuse("unknown-lease");
  if (!isOfVersion(given, version)) return refuse("other-arithmetic");
  if (slot.bad.some((bad) => bad.lease === given.id)) return refuse("known-bad");
  // Compares trainer names, not leases: a trainer may submit after its lease expired, but its second result does not count.
  const earlier = slot.votes.find((vote) => vote.trainer === given.trainer)?.result ?? slot.result;
  const fault = faultOf(state, shard, result) ?? found;
  if (fault !== null) {
    if (earlier !== null) return refuse(fault);
    return { state: spoiled(state, shard, given, fault, now), reply: { accepted: false, reason: fault } };
  }
  if (earlier !== null) {
    if (identityOf(earlier) !== identityOf(result)) return refuse("conflict");
    return { state: counted(state, "duplicate"), reply: { accepted: true, duplicate: true } };
  }
  const voted = withSlot(state, shard, { ...slot, votes: [...slot.votes, { lease: given.id, trainer: given.trainer, result }] });
  const settled = settle(timed(voted, given, submission, now), shard);
  const next = settled.phase === "evaluating" && isRoundComplete(settled) ? finishEvaluation(settled) : settled;
  return { state: next, reply: { accepted: true, duplicate: false } };
}

/**
 * Counts an unusable result as a strike against its trainer. After MAX_BAD_RESULTS of several trainers (or of the only one),
 * the task counts as faulty.
 */
function spoiled(state: RunState, shard: number, by: { id: string; trainer: string }, reason: string, now: number): RunState {
  const slot = state.slots[shard]!;
  const bad = [...slot.bad, { lease: by.id, trainer: by.trainer }];
  const leases = slot.leases.map((record) => (record.id === by.id ? expired(record) : record));
  const next = strike(counted(withSlot(state, shard, { ...slot, bad, leases }), reason), by.trainer, now);
  const agreed = new Set(bad.map(({ trainer }) => trainer)).size > 1 || isAlone(state, by.trainer, now);
  return bad.length >= MAX_BAD_RESULTS && agreed
    ? diverged(
        next,
        `round ${state.base.round}, shard ${shard}: expected a usable result, got ${bad.length} unusable results (last: ${reason})`,
      )
    : next;
}

/** Starts a rollback if the run has rollbacks left, else fails the run. */
function diverged(state: RunState, reason: string): RunState {
  return canRollBack(state) ? { ...state, diverged: reason } : failed(state, reason);
}

const canRollBack = (state: RunState) => state.phase === "training" && state.rollbacks.length < state.spec.supervision.rollbacks;

/**
 * Handles an unreadable part of the current checkpoint. Starts a rollback if the rollback point is another checkpoint, else
 * fails the run.
 */
export function damaged(state: RunState, from: Hash, reason: string): RunState {
  if (isOver(state) || from !== state.base.checkpoint) return state;
  const hasOther = state.rollbackPoint.checkpoint !== from && state.rollbacks.length < state.spec.supervision.rollbacks;
  return hasOther ? { ...state, damaged: reason } : failed(state, reason);
}

/** Opens a shard's task again, because the reduction found its delta unusable. */
export function reissue(state: RunState, from: Hash, shard: number, reason: string, now: number): RunState {
  const slot = state.slots[shard];
  if (state.phase !== "training" || from !== state.base.checkpoint || slot?.result == null) return state;
  const culprits = slot.votes.filter((vote) => identityOf(vote.result) === identityOf(slot.result!));
  // The trainers that voted have finished, so their leases end and the next trainer can get the task.
  const leases = slot.leases.map((record) => (slot.votes.some((vote) => vote.lease === record.id) ? expired(record) : record));
  const opened = withSlot(state, shard, { ...slot, leases, votes: [], result: null });
  return culprits.reduce((next, { lease: id, trainer }) => spoiled(next, shard, { id, trainer }, reason, now), opened);
}

export type Effect = { kind: "reduce" } | { kind: "roll-back"; to: Base; lrScale: number; reason: string };

/** The next action of the coordinator, or null. The answer stays the same until the coordinator reports the action as done. */
export function effectOf(state: RunState): Effect | null {
  if (isOver(state)) return null;
  // Damaged storage is no reason to lower the learning rate.
  if (state.damaged !== null) return { kind: "roll-back", to: state.rollbackPoint, lrScale: state.base.lrScale, reason: state.damaged };
  const back = (reason: string): Effect => ({
    kind: "roll-back",
    to: state.rollbackPoint,
    lrScale: state.base.lrScale * ROLLBACK_RATE,
    reason,
  });
  if (state.diverged !== null) return back(state.diverged);
  if (state.phase !== "training" || !isRoundComplete(state)) return null;
  const loss = roundLoss(state);
  const usual = state.recentLosses.reduce((sum, value) => sum + value, 0) / state.recentLosses.length;
  const { ratio, floor } = objectiveOf(state.spec.training).spike;
  const spikes = state.recentLosses.length >= MIN_RECENT_ROUNDS && loss > ratio * Math.max(usual, floor);
  return spikes && canRollBack(state) ? back(`loss ${loss.toFixed(3)} after a mean of ${usual.toFixed(3)}`) : { kind: "reduce" };
}

/** Records that the reduction of checkpoint `from` produced the checkpoint `base`. Late and duplicate reports change nothing. */
export function reduced(state: RunState, from: Hash, base: Base, now: number): RunState {
  if (state.phase !== "training" || from !== state.base.checkpoint || !isRoundComplete(state)) return state;
  const results = trainResults(state);
  const total = (pick: (result: TrainResult) => number) => results.reduce((sum, result) => sum + pick(result), 0);
  const marked = base.round % ROLLBACK_POINT_EVERY === 0;
  const next: RunState = {
    ...state,
    base,
    slots: emptySlots(state.slots.length),
    recentLosses: [...state.recentLosses, roundLoss(state)].slice(-RECENT_ROUNDS),
    rollbackPoint: marked ? state.nextRollbackPoint : state.rollbackPoint,
    nextRollbackPoint: marked ? base : state.nextRollbackPoint,
    roundBytes: { delta: total(({ deltaBytes }) => deltaBytes), inner: total(({ innerBytes }) => innerBytes) },
  };
  const { evaluateEvery, maxCpuSeconds, maxCents } = state.spec.supervision;
  if (base.round >= state.spec.rounds) return evaluating(next, "rounds", now);
  if (maxCpuSeconds > 0 && next.spentMs >= maxCpuSeconds * 1000) return evaluating(next, "cpu-seconds", now);
  if (maxCents > 0 && centsOf(next.spentMs) >= maxCents) return evaluating(next, "cents", now);
  return evaluateEvery > 0 && base.round % evaluateEvery === 0 ? evaluating(next, null, now) : next;
}

function evaluating(state: RunState, stopReason: string | null, now: number): RunState {
  return { ...state, phase: "evaluating", slots: emptySlots(state.slots.length), stopReason, evaluatingSince: now };
}

/** Continues the run from an earlier checkpoint. After a divergence the learning rate is lower, so the checkpoint has a new hash. */
export function rolledBack(state: RunState, from: Hash, base: Base, reason: string): RunState {
  const isWanted = state.phase === "training" || (state.phase === "evaluating" && state.damaged !== null);
  if (!isWanted || from !== state.base.checkpoint) return state;
  // Cancels the evaluation after the last round, because rounds are missing again. Keeps an evaluation that an operator or a cap
  // requested.
  const goesOn = state.stopReason === null || state.stopReason === "rounds";
  const record = { fromRound: state.base.round, toRound: base.round, lrScale: base.lrScale, reason };
  return {
    ...state,
    base,
    slots: emptySlots(state.slots.length),
    recentLosses: [],
    rollbackPoint: base,
    nextRollbackPoint: base,
    diverged: null,
    damaged: null,
    ...(goesOn ? { phase: "training" as const, stopReason: null, evaluatingSince: null } : {}),
    rollbacks: [...state.rollbacks, record],
    // Removes strikes, because the trainers may have computed the diverged round correctly.
    trainers: Object.fromEntries(
      Object.entries(state.trainers).map(([name, trainer]) => [name, trainer.quarantined ? trainer : { ...trainer, strikes: 0 }]),
    ),
  };
}

/** Stops leasing until `resumed`. Results of leased tasks still count. */
export function paused(state: RunState): RunState {
  return isOver(state) ? state : { ...state, paused: true };
}

/** Resumes leasing. Forgets strikes and quarantines, because the operator has checked the trainers. */
export function resumed(state: RunState): RunState {
  return { ...state, paused: false, trainers: {} };
}

/** Ends training after an evaluation of the last checkpoint. Drops the current round. */
export function stopped(state: RunState, now: number): RunState {
  if (isOver(state)) return state;
  return state.phase === "evaluating"
    ? { ...state, paused: false, stopReason: "stopped" }
    : evaluating({ ...state, paused: false, diverged: null }, "stopped", now);
}
