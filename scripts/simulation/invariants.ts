/** What must hold of a history's state: after every event, and at its end. */
import { retained, type RunState } from "../../shared/training/protocol/run-state.ts";
import { MAX_BAD_RESULTS } from "../../shared/training/protocol/run.ts";
import { LIE_STRIKES } from "../../shared/training/protocol/trainers.ts";
import type { StoredObjects } from "./stored-objects.ts";
import { undisturbed, type Protocol, type Scene } from "./world.ts";

/** The reason of rollbacks that a flipped byte has caused. */
export const DAMAGE = "damage";
/** Names of trainers are stored with every state. */
const MAX_TRAINERS_BYTES = 200_000;

export interface Seen {
  scene: Scene;
  state: RunState;
  objects: StoredObjects;
  /** Unusable results that were sent. */
  unusable: number;
  /** Throws. */
  fail: (what: string) => never;
}

export function checkAlways({ scene, state, objects, fail }: Seen): void {
  for (const base of retained(state)) {
    if (!objects.has(base.checkpoint)) fail(`I3: a kept checkpoint is not stored: round ${base.round}`);
  }
  for (const { votes } of state.slots) {
    if (new Set(votes.map(({ trainer }) => trainer)).size < votes.length) fail("T9: somebody has voted twice on a task");
  }
  for (const [name, { strikes }] of Object.entries(state.trainers)) {
    // The one lies, the other sends bytes that are bad.
    const maySeemToLie = (scene.byzantine && name === "t0") || name === "t1";
    if (strikes >= LIE_STRIKES && !maySeemToLie) fail(`T9: ${name} has always been honest and was shut out as a liar`);
  }
  const json = JSON.stringify(state.trainers);
  if (json.length > MAX_TRAINERS_BYTES) fail(`I8: expected few trainers to be remembered, got ${json.length} bytes`);
}

/** Returns whether the run came to its end. */
export function checkEnd({ scene, state, unusable: sent, fail }: Seen, protocol: Protocol): boolean {
  // A task that stays unusable when no rollback is left is the end by design.
  const isSpent = state.rollbacks.length === scene.spec.supervision.rollbacks && sent >= MAX_BAD_RESULTS;
  if (isSpent && state.error?.includes("a usable result")) return false;
  if (state.phase !== "done") fail(`expected the run to be done, it is ${state.phase}: ${state.error ?? ""}`);
  if (scene.byzantine) {
    // Between two nobody can decide.
    if (scene.trainers > 2 && !state.trainers["t0"]?.quarantined) fail("T9: expected the lying trainer to be found out");
    return true;
  }
  const expected = undisturbed(scene, protocol);
  const spikes = state.rollbacks.filter(({ reason }) => reason.startsWith("loss"));
  // A lone trainer whose results stay unusable takes the run back by design; that is another run from there on. Damage
  // takes it back too, at the same rate: it computes the same again.
  const unusable = state.rollbacks.filter(({ reason }) => reason !== DAMAGE).length - spikes.length;
  if (unusable > 0 && sent < unusable * MAX_BAD_RESULTS) fail(`expected no rollback for ${sent} unusable results, got ${unusable}`);
  if (unusable > 0) return true;
  if (spikes.length !== expected.rollbacks.length) fail(`expected ${expected.rollbacks.length} rollbacks, got ${spikes.length}`);
  if (state.base.checkpoint !== expected.base.checkpoint)
    fail(`I4: expected checkpoint ${expected.base.checkpoint}, got ${state.base.checkpoint}`);
  return true;
}
