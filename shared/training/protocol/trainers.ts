/**
 * Who is trusted with what: how long a lease lasts, when a task is computed twice, who is shut out.
 * A trainer is a name; it gets a strike for each unusable result and is quarantined after three, unless it is the only one.
 */
import { PLANNED_CPU_SECONDS } from "../../limits.ts";
import { identityOf, type LeaseRecord, type RunState, type Slot } from "./run-state.ts";

/** The length of leases until a task's time is known, and the bounds after that. */
export const MAX_LEASE_MS = 120_000;
const MIN_LEASE_MS = 10_000;
/** A lease is so many times the longest recent task: others share the processor at times. */
const LEASE_FACTOR = 5;
const MAX_STRIKES = 3;
/** What an audit proves weighs more than results that were merely unusable: a run would rather stand still than go on with a liar. */
export const LIE_STRIKES = 100;
/** A trainer that has not been heard of for this long does not count as another one. */
const ACTIVE_MS = 60_000;
/** Names kept; trainers come and go, and each name is a few bytes in every stored state. */
const MAX_TRAINERS = 500;

export function leaseMs({ slowestMs }: RunState): number {
  return slowestMs === null ? MAX_LEASE_MS : Math.min(MAX_LEASE_MS, Math.max(MIN_LEASE_MS, slowestMs * LEASE_FACTOR));
}

/** A lease from the future was given before the clock went back: nobody knows when it would end, so it is over. */
export function isLiving({ givenAt, expiresAt }: LeaseRecord, now: number): boolean {
  return givenAt <= now && now < expiresAt;
}

export function count(state: RunState, reason: string): RunState {
  return { ...state, counts: { ...state.counts, [reason]: (state.counts[reason] ?? 0) + 1 } };
}

/** Notes that a trainer lives; forgets the longest silent ones that nobody complained about when there are too many. */
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

/** Whether a trainer was heard of lately; the clock may have gone back. */
function isActive({ seenAt }: { seenAt: number }, now: number, withinMs = ACTIVE_MS): boolean {
  return Math.abs(now - seenAt) < withinMs;
}

/** Whether a trainer that asks need not be noted again: it was, within half of the time after which it would count no longer. */
export function isNoted({ trainers }: RunState, name: string, now: number): boolean {
  const record = trainers[name];
  return record !== undefined && isActive(record, now, ACTIVE_MS / 2);
}

/** True when no other trainer in good standing was heard of lately. */
export function isAlone(state: RunState, name: string, now: number): boolean {
  return !Object.entries(state.trainers).some(([other, record]) => other !== name && !record.quarantined && isActive(record, now));
}

/** True for a trainer that gets no tasks. Who was only clumsy gets them again when nobody better has been heard of lately. */
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

/** True for the tasks that two trainers compute: every k-th, at a place that moves from round to round. */
export function isAudited({ spec, base, phase, slots }: RunState, shard: number): boolean {
  const { audit } = spec.supervision;
  return phase === "training" && audit > 0 && (base.round * slots.length + shard) % audit === 0;
}

/** Results that a task needs before it counts: one; two if audited; a third when those two differ. */
export function votesNeeded(state: RunState, shard: number): number {
  if (!isAudited(state, shard)) return 1;
  const distinct = new Set(state.slots[shard]!.votes.map(({ result }) => identityOf(result)));
  return distinct.size > 1 ? 3 : 2;
}

/** Whether who got a lease may still be at work for it: beyond its end where it was as long as leases are, since tasks may take longer than that. */
function isBusy({ votes, bad }: Slot, record: LeaseRecord, now: number): boolean {
  if ([...votes, ...bad].some((answer) => answer.lease === record.id)) return false;
  const isLongest = record.expiresAt - record.givenAt === MAX_LEASE_MS;
  return isLiving(isLongest ? { ...record, expiresAt: record.givenAt + 1000 * PLANNED_CPU_SECONDS } : record, now);
}

/** Whether somebody who has not voted on a task may still do so: who is at work or was heard of lately, and is trusted. */
function canBeHeard(state: RunState, shard: number, now: number): boolean {
  const voted = new Set(state.slots[shard]!.votes.map(({ trainer }) => trainer));
  const busy = new Set(
    state.slots.flatMap((slot) => slot.leases.filter((record) => isBusy(slot, record, now)).map(({ trainer }) => trainer)),
  );
  return Object.entries(state.trainers).some(
    ([name, record]) => !voted.has(name) && !record.quarantined && (busy.has(name) || isActive(record, now)),
  );
}

/**
 * Ends the audits that wait for a vote that nobody can give: the first answer counts, as that of a task without audit.
 * Nobody is blamed, since of two that disagree either may be right.
 */
export function dropAudits(state: RunState, now: number): RunState {
  let next = state;
  for (const [shard, slot] of state.slots.entries()) {
    if (slot.result !== null || slot.votes.length === 0 || canBeHeard(state, shard, now)) continue;
    next = count({ ...next, slots: next.slots.with(shard, { ...slot, result: slot.votes[0]!.result }) }, "audit-dropped");
  }
  return next;
}

/**
 * Takes a task's result from its votes once there are enough. In an audit the majority is right and who stands against
 * it is quarantined; three different answers mean that the machines do not agree bit by bit, and the first one counts.
 */
export function settle(state: RunState, shard: number): RunState {
  const slot = state.slots[shard]!;
  if (slot.votes.length < votesNeeded(state, shard)) return state;
  const texts = slot.votes.map(({ result }) => identityOf(result));
  const winner = texts.findIndex((text, index) => texts.indexOf(text) !== index);
  const chosen = slot.votes[Math.max(0, winner)]!;
  const settled = { ...state, slots: state.slots.with(shard, { ...slot, result: chosen.result }) };
  if (slot.votes.length === 1) return settled;
  if (winner < 0) return count(settled, "unreproducible");
  const wrong = slot.votes.filter(({ result }) => identityOf(result) !== identityOf(chosen.result));
  const audited = count(settled, wrong.length > 0 ? "audit-failed" : "audit-passed");
  return wrong.reduce((next, { trainer }) => strike(next, trainer, next.trainers[trainer]?.seenAt ?? 0, LIE_STRIKES), audited);
}
