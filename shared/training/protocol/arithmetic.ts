/**
 * The version of the arithmetic. Two trainers of one version give the same bits for the same task; of two versions, neither
 * is wrong. During a deployment both are at work for some minutes, so a run gives tasks only to trainers of the
 * coordinator's version, and compares only results of that version.
 */
import type { LeaseRecord, Slot } from "./run-state.ts";

/**
 * Raised with every change that alters a bit of a task's result: kernels or another build of them (which rounds differently),
 * orders of sums, optimizers, objectives, the data order, formats of parts. A test fails until it is raised.
 */
export const ARITHMETIC = 1;

/** The version of trainers and leases that state none. */
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
 * A slot without answers of another version: they may differ from the answers to come, and no trainer is to blame for that.
 * The leases stay, so that a late answer is refused for its version. All answers of a slot have one version.
 */
export function withoutOtherVersion(slot: Slot, version: number): Slot {
  const others = new Set(slot.leases.filter((record) => !isOfVersion(record, version)).map(({ id }) => id));
  const hasOther = [...slot.votes, ...slot.bad].some(({ lease }) => others.has(lease));
  return hasOther ? { ...slot, votes: [], bad: [], result: null } : slot;
}
