/** A deployment with two versions of the arithmetic, event by event. The simulation covers whole histories (T21). */
import { expect, test } from "vitest";
import { answer, checkpointAfter, drawScene, firstBase, honest } from "../../../../scripts/simulation/world.ts";
import { supervisionConfigSchema } from "../../../../shared/config.ts";
import { ARITHMETIC } from "../../../../shared/training/protocol/arithmetic.ts";
import { availableTasks } from "../../../../shared/training/protocol/open-tasks.ts";
import { effectOf, lease, reduced, restarted, submit } from "../../../../shared/training/protocol/run.ts";
import { initialState, trainResults, type RunState } from "../../../../shared/training/protocol/run-state.ts";
import type { Lease } from "../../../../shared/training/protocol/task.ts";

const NEXT = ARITHMETIC + 1;
const SHARDS = 2;
const plain = { ...drawScene(0), spikeRound: -1, byzantine: false };

function start(audit: number): RunState {
  const spec = {
    ...plain.spec,
    training: { ...plain.spec.training, shards: SHARDS },
    supervision: supervisionConfigSchema.parse({ audit }),
  };
  return initialState(spec, firstBase(spec));
}

const scene = { ...plain, spec: start(0).spec };

function leased(state: RunState, trainer: string, version: number): { state: RunState; lease: Lease } {
  const given = lease(state, trainer, `${trainer}-${version}-${state.tasks}`, 0, { trainer: version, coordinator: version });
  if (given.lease === null) throw new Error("expected a lease, got none");
  return { state: given.state, lease: given.lease };
}

/** A trainer's next task, computed with a version and submitted to a coordinator of that version. */
function voted(state: RunState, trainer: string, version: number): RunState {
  const given = leased(state, trainer, version);
  return submit(given.state, answer(given.lease, trainer, honest(scene, given.lease, version)), 1, version).state;
}

const strikesOf = (state: RunState) => Object.values(state.trainers).map(({ strikes }) => strikes);

test("a trainer of another version gets no task, is told the coordinator's version, and is not counted on for audits", () => {
  const state = start(1);
  for (const [trainer, coordinator] of [
    [ARITHMETIC, NEXT],
    [NEXT, ARITHMETIC],
  ] as const)
    expect(lease(state, "other", "l", 0, { trainer, coordinator })).toEqual({ state, lease: null, otherArithmetic: coordinator });
});

test("a late answer of an earlier version is refused without blame, and its task goes to the next trainer", () => {
  const before = leased(start(0), "a", ARITHMETIC);
  const after = restarted(before.state, NEXT);
  const late = submit(after, answer(before.lease, "a", honest(scene, before.lease)), 1, NEXT);
  expect(late.reply).toEqual({ accepted: false, reason: "other-arithmetic" });
  expect(late.state).toEqual({ ...after, counts: { "other-arithmetic": 1 } });
  expect(leased(late.state, "b", NEXT).lease.task.shard).toBe(0);
});

test("an audit never compares two versions: a coordinator that starts with the next version asks for both votes again", () => {
  const half = restarted(voted(start(1), "a", ARITHMETIC), NEXT);
  expect(half.slots[0]).toMatchObject({ votes: [], result: null });
  expect(availableTasks(half, 1)).toBe(2 * SHARDS);
  const settled = voted(voted(half, "b", NEXT), "a", NEXT);
  expect(settled.counts).toEqual({ "audit-passed": 1 });
  expect(strikesOf(settled)).toEqual([0, 0]);
});

test("a round is computed with one version, and a start with the same version keeps what was computed", () => {
  const one = voted(start(0), "a", ARITHMETIC);
  expect(restarted(one).slots[0]!.result).toEqual(one.slots[0]!.result);
  let next = restarted(one, NEXT);
  expect(next.slots[0]!.result).toBeNull();
  while (effectOf(next) === null) next = voted(next, "a", NEXT);
  const deltas = trainResults(next).map(({ delta }) => delta);
  const expected = Array.from({ length: SHARDS }, (_, shard) => {
    const { task } = leased(start(0), "x", NEXT).lease;
    const result = honest(scene, { id: "l", expiresAt: 0, task: { ...task, shard } }, NEXT);
    return result.kind === "train" ? result.delta : [];
  });
  expect(deltas).toEqual(expected);
  expect(reduced(next, next.base.checkpoint, checkpointAfter(next.base, trainResults(next)), 2).base.round).toBe(1);
});

test("a lease that states no version was given with the first", () => {
  const given = leased(start(0), "a", ARITHMETIC);
  const records = given.state.slots[0]!.leases.map(({ id, trainer, givenAt, expiresAt }) => ({ id, trainer, givenAt, expiresAt }));
  const slots = given.state.slots.with(0, { ...given.state.slots[0]!, leases: records });
  const submission = answer(given.lease, "a", honest(scene, given.lease));
  expect(submit({ ...given.state, slots }, submission, 1, 1).reply).toMatchObject({ accepted: true });
  expect(submit({ ...given.state, slots }, submission, 1, 2).reply).toMatchObject({ accepted: false });
});
