/** The invariants of a history's state, checked after every event and at the end. */
import { retained, type RunState } from "../../shared/training/protocol/run-state.ts";
import { MAX_BAD_RESULTS } from "../../shared/training/protocol/run.ts";
import { LIE_STRIKES } from "../../shared/training/protocol/leases.ts";
import type { StoredObjects } from "./stored-objects.ts";
import { undisturbed, type Protocol, type Scene } from "./world.ts";

/** The reason of a rollback after a flipped byte. */
export const DAMAGE = "damage";
/** The most bytes of the trainers' names and records, which are stored with every state. */
const MAX_TRAINERS_BYTES = 200_000;

export interface Seen {
  scene: Scene;
  state: RunState;
  objects: StoredObjects;
  /** The number of unusable results so far. */
  unusable: number;
  /** Throws a violation. */
  fail: (what: string) => never;
}

export function checkAlways({ scene, state, objects, fail }: Seen): void {
  for (const base of retained(state)) {
    if (!objects.has(base.checkpoint)) fail(`I3: a kept checkpoint is not stored: round ${base.round}`);
  }
  for (const { votes } of state.slots) {
    if (new Set(votes.map(({ trainer }) => trainer)).size < votes.length) fail("T9: a trainer has voted twice on a task");
  }
  for (const [name, { strikes }] of Object.entries(state.trainers)) {
    // t0 may lie, and t1 may send corrupt bytes. Both may look like liars.
    const maySeemToLie = (scene.byzantine && name === "t0") || name === "t1";
    if (strikes >= LIE_STRIKES && !maySeemToLie) fail(`T9: the honest trainer ${name} was shut out as a liar`);
  }
  const json = JSON.stringify(state.trainers);
  if (json.length > MAX_TRAINERS_BYTES) fail(`I8: expected at most ${MAX_TRAINERS_BYTES} bytes of trainers, got ${json.length}`);
}

/** Checks the end of a history. Returns true if the run trained all of its rounds. */
export function checkEnd({ scene, state, unusable: sent, fail }: Seen, protocol: Protocol): boolean {
  // By design, a run fails if a task stays unusable and no rollback is left.
  const isSpent = state.rollbacks.length === scene.spec.supervision.rollbacks && sent >= MAX_BAD_RESULTS;
  if (isSpent && state.error?.includes("a usable result")) return false;
  if (state.phase !== "done") fail(`expected the run to be done, it is ${state.phase}: ${state.error ?? ""}`);
  if (scene.byzantine) {
    // If two trainers disagree, the run cannot know which of them lies.
    if (scene.trainers > 2 && !state.trainers["t0"]?.quarantined) fail("T9: expected the lying trainer to be quarantined");
    return true;
  }
  // The next version computes other checkpoints.
  if (scene.deployedAt !== null) return true;
  const expected = undisturbed(scene, protocol);
  const spikes = state.rollbacks.filter(({ reason }) => reason.startsWith("loss"));
  // By design, a task that stays unusable rolls the run back to a lower learning rate, so later checkpoints differ. Damage
  // rolls the run back at the same rate, so the run computes the same checkpoints again.
  const unusable = state.rollbacks.filter(({ reason }) => reason !== DAMAGE).length - spikes.length;
  if (unusable > 0 && sent < unusable * MAX_BAD_RESULTS) fail(`expected no rollback for ${sent} unusable results, got ${unusable}`);
  if (unusable > 0) return true;
  if (spikes.length !== expected.rollbacks.length) fail(`expected ${expected.rollbacks.length} rollbacks, got ${spikes.length}`);
  if (state.base.checkpoint !== expected.base.checkpoint)
    fail(`I4: expected checkpoint ${expected.base.checkpoint}, got ${state.base.checkpoint}`);
  return true;
}
