/**
 * The version of the arithmetic. Two trainers of the same version compute the same bits for the same task. Trainers of different
 * versions may differ without being wrong. During a deployment both versions work for some minutes. So a run gives tasks only to
 * trainers of the coordinator's version, and compares only results of that version.
 */
import type { LeaseRecord, Slot } from "./run-state.ts";

/**
 * Raise this number with every change that alters a bit of a task's result: kernels or another build of them (which rounds
 * differently), orders of sums, optimizers, objectives, the data order, formats of parts. A test fails until it is raised.
 */
export const ARITHMETIC = 1;

/** The version of trainers and leases that do not state a version. */
export const FIRST_ARITHMETIC = 1;

export interface Versions {
  trainer: number;
  coordinator: number;
}

export const SAME: Versions = { trainer: ARITHMETIC, coordinator: ARITHMETIC };

export function isOfVersion({ arithmetic = FIRST_ARITHMETIC }: Pick<LeaseRecord, "arithmetic">, version: number): boolean {
  return arithmetic === version;
}

/**
 * Clears a slot that has answers of another version. Such answers may differ from later answers, and no trainer is to blame for
 * that. The leases stay, so that late answers are still known and refused for their version. All answers in a slot are of one
 * version.
 */
export function withoutOtherVersion(slot: Slot, version: number): Slot {
  const others = new Set(slot.leases.filter((record) => !isOfVersion(record, version)).map(({ id }) => id));
  const hasOther = [...slot.votes, ...slot.bad].some(({ lease }) => others.has(lease));
  return hasOther ? { ...slot, votes: [], bad: [], result: null } : slot;
}
