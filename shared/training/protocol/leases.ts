/**
 * Who gets a lease, and for how long. A lease lasts a few times the longest recent task. A trainer is a name; it gets a strike
 * for each unusable result and is quarantined after three, unless it is the only one.
 */
import { MAX_CPU_SECONDS } from "../../limits.ts";
import { estimateTaskCpu } from "../../model/footprint/cpu-time.ts";
import type { LeaseRecord, RunState } from "./run-state.ts";

/** No task lasts longer: an invocation's CPU time is over by then, and a minute is left for transfers. */
export const MAX_LEASE_MS = 1000 * (MAX_CPU_SECONDS + 60);
const MIN_LEASE_MS = 10_000;
/** A lease lasts this many times the longest recent task: other work shares the processor at times. */
const LEASE_FACTOR = 5;
const MAX_STRIKES = 3;
/** The strikes of a lie that an audit proves. A run stands still rather than go on with a liar, even the only trainer. */
export const LIE_STRIKES = 100;
/** A trainer that has been silent for this long is not counted on. */
const ACTIVE_MS = 60_000;
/** Names kept; trainers come and go, and each name is a few bytes in every stored state. */
const MAX_TRAINERS = 500;

/** Until a first task has been measured, its predicted CPU time stands for it. */
export function leaseMs({ slowestMs, spec }: RunState): number {
  const taskMs = slowestMs ?? 1000 * estimateTaskCpu(spec.model, spec.training).seconds;
  return Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, taskMs * LEASE_FACTOR));
}

/** A lease from the future was given before the clock went back. Its end is unknown, so it counts as expired. */
export function isLiving({ givenAt, expiresAt }: LeaseRecord, now: number): boolean {
  return givenAt <= now && now < expiresAt;
}

export const expired = (record: LeaseRecord): LeaseRecord => ({ ...record, expiresAt: 0 });

/** Notes that a trainer is alive. When there are too many names, forgets the longest silent one without a strike. */
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

/** True for a trainer that was heard of lately; the clock may have gone back. */
export function isActive({ seenAt }: { seenAt: number }, now: number, withinMs = ACTIVE_MS): boolean {
  return Math.abs(now - seenAt) < withinMs;
}

/** True when a trainer that asks was noted so recently that noting it again would be a wasted write. */
export function isNoted({ trainers }: RunState, name: string, now: number): boolean {
  const record = trainers[name];
  return record !== undefined && isActive(record, now, ACTIVE_MS / 2);
}

/** True when no other trainer in good standing was heard of lately. */
export function isAlone(state: RunState, name: string, now: number): boolean {
  return !Object.entries(state.trainers).some(([other, record]) => other !== name && !record.quarantined && isActive(record, now));
}

/** True for a trainer that gets no tasks. A trainer without a proven lie gets them again while it is the only active one. */
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
