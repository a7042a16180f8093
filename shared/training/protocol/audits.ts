/**
 * Audits: tasks that several trainers compute. A result is a vote. A task without audit needs one vote. An audited task needs
 * two votes that agree bit by bit. If the two differ, a third vote decides.
 */
import { isActive, isLiving, LIE_STRIKES, strike } from "./leases.ts";
import { counted, identityOf, type LeaseRecord, type RunState, type Slot } from "./run-state.ts";

/** True for every k-th task. Rounds audit different tasks, unless k divides the number of shards. */
export function isAudited({ spec, base, phase, slots }: RunState, shard: number): boolean {
  const { audit } = spec.supervision;
  return phase === "training" && audit > 0 && (base.round * slots.length + shard) % audit === 0;
}

/** Votes that a task needs: 1 without audit, 2 with audit, 3 after two different votes. */
export function votesNeeded(state: RunState, shard: number): number {
  if (!isAudited(state, shard)) return 1;
  const distinct = new Set(state.slots[shard]!.votes.map(({ result }) => identityOf(result)));
  return distinct.size > 1 ? 3 : 2;
}

/** True while a lease holder may still be computing. */
function isBusy({ votes, bad }: Slot, record: LeaseRecord, now: number): boolean {
  return isLiving(record, now) && ![...votes, ...bad].some((answer) => answer.lease === record.id);
}

/** True while a vote can still come: a trusted trainer has not voted on the task, and it is computing or was active recently. */
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
 * Ends audits whose missing vote no trainer can give. The first vote then becomes the result, as in a task without audit. No
 * trainer gets a strike: when two votes differ, either may be right.
 */
export function dropAudits(state: RunState, now: number): RunState {
  let next = state;
  for (const [shard, slot] of state.slots.entries()) {
    if (slot.result !== null || slot.votes.length === 0 || canBeHeard(state, shard, now)) continue;
    next = counted({ ...next, slots: next.slots.with(shard, { ...slot, result: slot.votes[0]!.result }) }, "audit-dropped");
  }
  return next;
}

/**
 * Decides a task's result once it has enough votes. In an audit the majority wins, and trainers with another vote are
 * quarantined. If three votes all differ, the machines cannot reproduce results bit by bit, and the first vote becomes the
 * result.
 */
export function settle(state: RunState, shard: number): RunState {
  const slot = state.slots[shard]!;
  if (slot.votes.length < votesNeeded(state, shard)) return state;
  const texts = slot.votes.map(({ result }) => identityOf(result));
  const winner = texts.findIndex((text, index) => texts.indexOf(text) !== index);
  const chosen = slot.votes[Math.max(0, winner)]!;
  const settled = { ...state, slots: state.slots.with(shard, { ...slot, result: chosen.result }) };
  if (slot.votes.length === 1) return settled;
  if (winner < 0) return counted(settled, "unreproducible");
  const wrong = slot.votes.filter(({ result }) => identityOf(result) !== identityOf(chosen.result));
  const audited = counted(settled, wrong.length > 0 ? "audit-failed" : "audit-passed");
  return wrong.reduce((next, { trainer }) => strike(next, trainer, next.trainers[trainer]?.seenAt ?? 0, LIE_STRIKES), audited);
}
