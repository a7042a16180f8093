/**
 * Decides which trainer gets a lease, and for how long. A lease lasts a few times as long as the longest recent task. A trainer
 * is identified by its name. Each unusable result is a strike; three strikes quarantine a trainer, unless it is the only one.
 */
import { MAX_CPU_SECONDS } from "../../limits.ts";
import { estimateTaskCpu } from "../../model/footprint/cpu-time.ts";
import type { LeaseRecord, RunState } from "./run-state.ts";

/** Maximum length of a lease. By then a task has used up its CPU limit, plus a minute for transfers. */
export const MAX_LEASE_MS = 1000 * (MAX_CPU_SECONDS + 60);
const MIN_LEASE_MS = 10_000;
/** A lease lasts this many times as long as the longest recent task, because other work may slow a trainer down. */
const LEASE_FACTOR = 5;
const MAX_STRIKES = 3;
/** Strikes for a wrong vote in an audit. Such a trainer gets no more tasks, even if the run then has no trainer. */
export const LIE_STRIKES = 100;
/** A trainer that sent nothing for this time counts as inactive. */
const ACTIVE_MS = 60_000;
/** Maximum number of trainer names in a state. Trainers come and go, and every stored state contains all names. */
const MAX_TRAINERS = 500;

/** The length of a new lease. Before the first measured task, the predicted CPU time is used. */
export function leaseMs({ slowestMs, spec }: RunState): number {
  const taskMs = slowestMs ?? 1000 * estimateTaskCpu(spec.model, spec.training, spec.cpuRate).seconds;
  return Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, taskMs * LEASE_FACTOR));
}

/** True before a lease ends. A lease that begins in the future also counts as ended: the clock went back, so its end is unknown. */
export function isLiving({ givenAt, expiresAt }: LeaseRecord, now: number): boolean {
  return givenAt <= now && now < expiresAt;
}

export const expired = (record: LeaseRecord): LeaseRecord => ({ ...record, expiresAt: 0 });

/**
 * Records that a trainer is alive. If there are too many names, forgets the trainer that has been silent the longest, among those
 * without strikes.
 */
export function seen(state: RunState, name: string, now: number): RunState {
  const known = state.trainers[name] ?? { seenAt: now, strikes: 0, quarantined: false };
  const trainers = { ...state.trainers, [name]: { ...known, seenAt: now } };
  const names = Object.keys(trainers);
  if (names.length > MAX_TRAINERS) {
    const blameless = names.filter((each) => trainers[each]!.strikes === 0).toSorted((a, b) => trainers[a]!.seenAt - trainers[b]!.seenAt);
    delete trainers[blameless[0] ?? names[0]!];
  }
  return { ...state, trainers };
}

/** True for a trainer that was active recently. Takes the absolute difference, because the clock may have gone back. */
export function isActive({ seenAt }: { seenAt: number }, now: number, withinMs = ACTIVE_MS): boolean {
  return Math.abs(now - seenAt) < withinMs;
}

/** True if a trainer was recorded so recently that another write would be useless. */
export function isNoted({ trainers }: RunState, name: string, now: number): boolean {
  const record = trainers[name];
  return record !== undefined && isActive(record, now, ACTIVE_MS / 2);
}

/** True if no other trainer without quarantine was active recently. */
export function isAlone(state: RunState, name: string, now: number): boolean {
  return !Object.entries(state.trainers).some(([other, record]) => other !== name && !record.quarantined && isActive(record, now));
}

/** True if a trainer gets no tasks. A quarantined trainer gets tasks again while it is the only active one, unless it lost an audit. */
export function isShutOut(state: RunState, name: string, now: number): boolean {
  const record = state.trainers[name];
  return record?.quarantined === true && (record.strikes >= LIE_STRIKES || !isAlone(state, name, now));
}

export function strike(state: RunState, name: string, now: number, strikes = 1): RunState {
  const known = state.trainers[name] ?? { seenAt: now, strikes: 0, quarantined: false };
  const total = known.strikes + strikes;
  const quarantined = known.quarantined || (total >= MAX_STRIKES && !isAlone(state, name, now));
  return { ...state, trainers: { ...state.trainers, [name]: { ...known, strikes: total, quarantined } } };
}
