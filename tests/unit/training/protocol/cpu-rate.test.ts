/** The planned rate is learned from accepted tasks, and a single trainer can change it only a little. */
import { expect, test } from "vitest";
import { answer, drawScene, firstBase, honest } from "../../../../scripts/simulation/world.ts";
import { presetOf } from "../../../../shared/config.ts";
import { estimateTaskCpu, OPERATIONS_PER_CPU_SECOND as SHIPPED, taskOperations } from "../../../../shared/model/footprint/cpu-time.ts";
import { plannedRate, runRate } from "../../../../shared/training/protocol/cpu-rate.ts";
import { leaseMs } from "../../../../shared/training/protocol/leases.ts";
import { lease, submit } from "../../../../shared/training/protocol/run.ts";
import { initialState, type RunState } from "../../../../shared/training/protocol/run-state.ts";

const { model, vocabSize, training } = presetOf("small");
const drawn = drawScene(0);
const spec = {
  ...drawn.spec,
  model: { ...model, vocabSize },
  training: { ...drawn.spec.training, ...training, shards: 5 },
};
const scene = { ...drawn, spec, byzantine: false, spikeRound: -1 };
const OPERATIONS = taskOperations(spec.model, spec.training);

/** A task that took `took` milliseconds by the coordinator's clock and `computeMs` by the trainer's. */
function computed(state: RunState, trainer: string, took: number, computeMs: number): RunState {
  const given = lease(state, trainer, trainer, 0);
  return submit(given.state, { ...answer(given.lease!, trainer, honest(scene, given.lease!)), computeMs }, took).state;
}

const start = initialState(spec, firstBase(spec));

test("a task shows its trainer's rate if its computing was long enough to tell", () => {
  expect(runRate(computed(start, "a", 5000, 900))).toBeNull();
  expect(runRate(computed(start, "a", 5000, 2000))).toBeCloseTo(OPERATIONS / 2, -1);
  // A trainer cannot have computed for longer than it had the task.
  expect(runRate(computed(start, "a", 4000, 1e9))).toBeCloseTo(OPERATIONS / 4, -1);
  expect(runRate(computed(start, "a", 4000, Number.NaN))).toBeNull();
});

test("one trainer of three that lies about its time changes the run's rate no more than the next honest trainer does", () => {
  const honestly = computed(computed(start, "a", 5000, 2000), "b", 5000, 2200);
  for (const lie of [1000, 5000]) {
    const rate = runRate(computed(honestly, "liar", 5000, lie))!;
    expect(rate).toBeGreaterThanOrEqual(Math.floor(OPERATIONS / 2.2));
    expect(rate).toBeLessThanOrEqual(Math.ceil(OPERATIONS / 2));
  }
  const state = computed(honestly, "liar", 5000, 1000);
  const shutOut = { ...state, trainers: { ...state.trainers, liar: { ...state.trainers["liar"]!, quarantined: true } } };
  expect(runRate(shutOut)).toBeCloseTo(OPERATIONS / 2.2, -1);
});

test("one run alone never changes the planned rate, two that agree do, and no run takes it out of its bounds", () => {
  expect(plannedRate([])).toBe(SHIPPED);
  for (const rate of [1, SHIPPED / 2, 2 * SHIPPED, 1e15]) expect(plannedRate([rate])).toBe(SHIPPED);
  expect(plannedRate([SHIPPED / 2, SHIPPED / 3])).toBe(SHIPPED / 2);
  expect(plannedRate([1.5, 1.5, 1.5].map((factor) => factor * SHIPPED))).toBe(1.5 * SHIPPED);
  const honestRuns = Array.from({ length: 9 }, () => 1.5 * SHIPPED);
  expect(plannedRate([...honestRuns, 1, 1])).toBe(1.5 * SHIPPED);
  expect(plannedRate([1, 1, 1])).toBe(SHIPPED / 4);
  expect(plannedRate(Array.from({ length: 20 }, () => 1e15))).toBe(2 * SHIPPED);
});

test("tasks and first leases are planned with the rate of the run's beginning", () => {
  const seconds = (rate: number) => estimateTaskCpu(spec.model, spec.training, rate).seconds;
  expect(seconds(SHIPPED / 4)).toBeCloseTo(4 * seconds(SHIPPED), 6);
  const slow = { ...start, spec: { ...spec, training: { ...spec.training, steps: 60 } } };
  expect(leaseMs({ ...slow, spec: { ...slow.spec, cpuRate: SHIPPED / 2 } })).toBeCloseTo(2 * leaseMs(slow), 3);
});
