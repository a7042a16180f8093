/** The tasks of a run that trainers can get: what they are, and how many votes they still need. */
import { votesNeeded } from "./audits.ts";
import { isLiving } from "./leases.ts";
import { isOver, type RunState } from "./run-state.ts";
import type { Task } from "./task.ts";

/** Examples per forward pass of an evaluation. */
const EVALUATION_BATCH = 16;

export function taskOf({ spec, base, phase }: RunState, shard: number): Task {
  const { run, dataset, model, training } = spec;
  const common = { run, round: base.round, shard, base: base.checkpoint, weights: base.weights, dataset, model };
  return phase === "training"
    ? { kind: "train", ...common, inner: base.inner[shard] ?? null, training, lrScale: base.lrScale }
    : { kind: "evaluate", ...common, objective: training.objective, shards: training.shards, batch: EVALUATION_BATCH };
}

/** The number of votes that a task still needs, without the votes that are expected from current leases. */
export function openVotes(state: RunState, shard: number, now: number): number {
  const { leases, votes, result } = state.slots[shard]!;
  if (result !== null) return 0;
  const computing = leases.filter((record) => isLiving(record, now) && !votes.some((vote) => vote.lease === record.id));
  return Math.max(0, votesNeeded(state, shard) - votes.length - computing.length);
}

/** True while the run gives no tasks. */
export const isHalted = (state: RunState) => isOver(state) || state.paused || state.diverged !== null || state.damaged !== null;

/** The number of tasks that the run could lease now, if there were enough trainers. */
export function availableTasks(state: RunState, now: number): number {
  return isHalted(state) ? 0 : state.slots.reduce((sum, _, shard) => sum + openVotes(state, shard, now), 0);
}
