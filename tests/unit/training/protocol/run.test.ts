/** The training protocol, event by event, and under simulated faults. */
import { describe, expect, it } from "vitest";
import { FAULTS } from "../../../../scripts/simulation/faults.ts";
import { simulate } from "../../../../scripts/simulation/simulate.ts";
import { answer, checkpointAfter, drawScene, firstBase, honest, nameOf, rolledBackTo } from "../../../../scripts/simulation/world.ts";
import { presetOf, supervisionConfigSchema, type SupervisionConfig } from "../../../../shared/config.ts";
import { MAX_CPU_SECONDS, PLANNED_CPU_SECONDS } from "../../../../shared/limits.ts";
import { estimateTaskCpu } from "../../../../shared/model/footprint/cpu-time.ts";
import type { EvaluateResult, Lease, Submission, TrainResult } from "../../../../shared/training/protocol/task.ts";
import * as protocol from "../../../../shared/training/protocol/run.ts";
import { initialState, retainedHashes, trainResults, type RunState } from "../../../../shared/training/protocol/run-state.ts";
import { leaseMs, MAX_LEASE_MS } from "../../../../shared/training/protocol/leases.ts";

const { damaged, effectOf, lease, MAX_BAD_RESULTS, paused, reduced, released, restarted, resumed, rolledBack, stopped, submit } = protocol;
const SHARDS = 2;
const plain = { ...drawScene(0), spikeRound: -1, byzantine: false };

function start(supervision: Partial<SupervisionConfig> = {}, rounds = 4): RunState {
  const training = { ...plain.spec.training, shards: SHARDS };
  const spec = { ...plain.spec, training, rounds, supervision: supervisionConfigSchema.parse(supervision) };
  return initialState(spec, firstBase(spec));
}

let leaseCount = 0;
function leased(state: RunState, now = 0, trainer = "a"): { state: RunState; lease: Lease } {
  const result = lease(state, trainer, `${trainer}-${now}-${leaseCount++}`, now);
  if (result.lease === null) throw new Error("expected a lease, got none");
  return { state: result.state, lease: result.lease };
}

const honestly = (state: RunState, given: Lease): Submission => {
  const { training } = state.spec;
  return answer(given, "a", honest({ ...plain, spec: { ...plain.spec, training } }, given));
};

/** The state after a trainer's answer to the task of shard 0, which is audited. */
function voted(state: RunState, trainer: string, now: number, change: object = {}): RunState {
  const given = leased(state, now, trainer);
  expect(given.lease.task.shard).toBe(0);
  const good = honestly(given.state, given.lease);
  return submit(given.state, { ...good, result: { ...good.result, ...change } as Submission["result"] }, now).state;
}

/** Every task of the round, computed by an honest trainer. `change` alters the results. */
function round(state: RunState, change: (result: TrainResult | EvaluateResult) => object = (result) => result, now = 0): RunState {
  let next = state;
  for (let shard = 0; shard < SHARDS; shard++) {
    const given = leased(next, now);
    const good = honestly(next, given.lease);
    next = submit(given.state, { ...good, result: change(good.result) as Submission["result"] }, now + 100).state;
  }
  return next;
}

/** A change that gives an evaluation this loss on every target. */
const scored = (loss: number) => (result: TrainResult | EvaluateResult) =>
  result.kind === "evaluate" ? { ...result, lossSum: loss * result.targets } : result;

/** Makes a task stay unusable. */
function spoil(state: RunState): RunState {
  let next = state;
  for (let index = 0; index < MAX_BAD_RESULTS; index++) {
    const given = leased(next, index);
    const good = honestly(next, given.lease);
    next = submit(given.state, { ...good, result: { ...good.result, loss: Infinity } as Submission["result"] }, index).state;
  }
  return next;
}

/** The state after a round and its reduction. */
function committed(state: RunState, change?: (result: TrainResult | EvaluateResult) => object, now = 0): RunState {
  const full = round(state, change, now);
  return reduced(full, full.base.checkpoint, checkpointAfter(full.base, trainResults(full)), now + 200);
}

describe("run", () => {
  it("gives a task to one trainer at a time, and to the next when the lease has expired", () => {
    const first = leased(start());
    expect(leased(first.state).lease.task.shard).toBe(1);
    expect(leased(first.state, MAX_LEASE_MS).lease.task.shard).toBe(0);
  });

  it("counts a lease from the future as expired, because the clock went back", () => {
    expect(leased(leased(start(), 1_000_000).state, 0).lease.task.shard).toBe(0);
  });

  it("keeps the objects of all results of the current round, including votes in an open audit", () => {
    const first = leased(start());
    const one = submit(first.state, honestly(first.state, first.lease), 1).state;
    expect(retainedHashes(one)).toContain(nameOf("delta", one.base.checkpoint, 0));
    const audited = leased(start({ audit: 1 }));
    const vote = submit(audited.state, honestly(audited.state, audited.lease), 1).state;
    expect(vote.slots[0]!.result).toBeNull();
    expect(retainedHashes(vote)).toContain(nameOf("delta", vote.base.checkpoint, 0));
    expect(retainedHashes(start())).not.toContain(nameOf("delta", vote.base.checkpoint, 0));
  });

  it("makes a lease as long as its task needs", () => {
    let state = start();
    const given = leased(state);
    state = submit(given.state, honestly(state, given.lease), 4000).state;
    expect(leased(state, 4000).lease.expiresAt).toBe(4000 + 5 * 4000);
  });

  it("makes a first lease as long as the predicted task needs, and no lease shorter than the longest task can last", () => {
    const { spec } = start();
    const { model, training } = presetOf("base");
    // A task of this run takes about 140 CPU seconds. A plan may use 150.
    const longest = { ...spec, model: { ...model, vocabSize: 4096 }, training: { ...spec.training, ...training, steps: 45 } };
    const { seconds } = estimateTaskCpu(longest.model, longest.training);
    expect(seconds).toBeGreaterThan(PLANNED_CPU_SECONDS / 2);
    expect(seconds).toBeLessThan(PLANNED_CPU_SECONDS);
    expect(leaseMs({ ...start(), spec: longest })).toBeGreaterThan(1000 * MAX_CPU_SECONDS);
    expect(leaseMs({ ...start(), slowestMs: 1000 * MAX_CPU_SECONDS })).toBeGreaterThan(1000 * MAX_CPU_SECONDS);
  });

  it("gives a task to the next trainer at once when its trainer gives it back, without blame, and counts a late result", () => {
    const first = leased(start());
    const back = released(first.state, 0, first.lease.id, 1);
    expect(back.trainers).toEqual(first.state.trainers);
    const next = leased(back, 1, "b");
    expect(next.lease.task.shard).toBe(0);
    expect(submit(next.state, honestly(next.state, first.lease), 2).reply).toEqual({ accepted: true, duplicate: false });
  });

  it("lets a task that fails everywhere wait for the end of its lease after three trainers gave it back", () => {
    let state = { ...start(), slowestMs: 60_000 };
    for (let failures = 0; failures < 3; failures++) {
      const given = leased(state, failures);
      expect(given.lease.task.shard).toBe(0);
      state = { ...released(given.state, 0, given.lease.id, failures), slowestMs: 60_000 };
    }
    const last = leased(state, 3);
    expect(released(last.state, 0, last.lease.id, 4)).toBe(last.state);
    expect(leased(last.state, 4, "b").lease.task.shard).toBe(1);
    expect(leased(last.state, 3 + 5 * 60_000, "b").lease.task.shard).toBe(0);
  });

  it("keeps a result whose trainer gives the task back, because the answer to its submission was lost", () => {
    const given = leased(start());
    const { state } = submit(given.state, honestly(given.state, given.lease), 1);
    expect(released(state, 0, given.lease.id, 2)).toBe(state);
    expect(released(state, 0, "never given", 2)).toBe(state);
    expect(released(state, 99, given.lease.id, 2)).toBe(state);
  });

  it("gives tasks out again at once after a restart", () => {
    expect(leased(restarted(leased(start()).state)).lease.task.shard).toBe(0);
  });

  it("counts a result once, accepts its repetition and refuses a different result", () => {
    const one = leased(start());
    const submission = honestly(one.state, one.lease);
    const { state, reply } = submit(one.state, submission, 1);
    expect(reply).toEqual({ accepted: true, duplicate: false });
    expect(submit(state, submission, 2).reply).toEqual({ accepted: true, duplicate: true });
    const other = submit(state, { ...submission, result: { ...submission.result, delta: [nameOf("other")] } as Submission["result"] }, 3);
    expect(other.reply).toEqual({ accepted: false, reason: "conflict" });
    expect(other.state.slots).toEqual(state.slots);
    expect(other.state.counts).toMatchObject({ conflict: 1 });
  });

  it("refuses a misplaced result with the reason, and changes no result", () => {
    const { state, lease: given } = leased(start());
    const good = honestly(state, given);
    const withResult = (change: object) => ({ ...good, result: { ...good.result, ...change } as Submission["result"] });
    const cases: [string, Submission][] = [
      ["stale", { ...good, round: 1 }],
      ["stale", { ...good, base: nameOf("old") }],
      ["wrong-run", { ...good, run: "q" }],
      ["wrong-shard", { ...good, shard: SHARDS }],
      ["wrong-phase", { ...good, result: { kind: "evaluate", lossSum: 1, targets: 1 } }],
      ["unknown-lease", { ...good, lease: "never given" }],
      ["not-finite", withResult({ loss: Number.NaN })],
      ["wrong-amount", withResult({ sequences: 1000 })],
      ["wrong-object", withResult({ delta: ["../x"] })],
      ["wrong-object", withResult({ delta: [] })],
      ["wrong-object", withResult({ inner: [nameOf("state")] })],
    ];
    for (const [reason, submission] of cases) {
      const result = submit(state, submission, 1);
      expect(result.reply).toEqual({ accepted: false, reason });
      expect(result.state.slots.map((slot) => slot.result)).toEqual([null, null]);
    }
  });

  it("quarantines a trainer after three unusable results if there is another trainer, and forgives on resume", () => {
    let state = leased(start(), 0, "other").state;
    for (let index = 0; index < 3; index++) {
      const next = leased(state, index, "sick");
      const good = honestly(next.state, next.lease);
      state = submit(next.state, { ...good, result: { ...good.result, loss: Number.NaN } as Submission["result"] }, index).state;
    }
    expect(state.trainers["sick"]).toMatchObject({ quarantined: true });
    expect(lease(state, "sick", "x", 10).lease).toBeNull();
    expect(leased(state, 10, "other").lease.task.shard).toBe(1);
    expect(leased(resumed(state), 10, "sick").lease.task.shard).toBe(1);
  });

  it("gives tasks to a quarantined trainer again if no other has been active for a minute, but never to a proven liar", () => {
    const state = leased(start(), 0, "gone").state;
    const record = { seenAt: 0, quarantined: true };
    const trainers = { ...state.trainers, clumsy: { ...record, strikes: 3 }, liar: { ...record, strikes: 100 } };
    expect(lease({ ...state, trainers }, "clumsy", "x", 59_000).lease).toBeNull();
    expect(lease({ ...state, trainers }, "clumsy", "x", 61_000).lease).not.toBeNull();
    expect(lease({ ...state, trainers }, "liar", "x", 61_000).lease).toBeNull();
  });

  it("counts an unusable result once, however often it is delivered", () => {
    const { state, lease: given } = leased(start());
    const bad = { ...honestly(state, given), result: { ...honest(plain, given), loss: Number.NaN } as Submission["result"] };
    const once = submit(state, bad, 1).state;
    expect(submit(submit(once, bad, 2).state, bad, 3).state.slots[0]!.bad).toHaveLength(1);
  });

  it("rolls back at half the rate if a task stays unusable, and fails if no rollback is allowed", () => {
    const diverged = spoil(start({ rollbacks: 1 }));
    const effect = effectOf(diverged);
    expect(effect).toMatchObject({ kind: "roll-back", lrScale: 0.5, to: { round: 0 } });
    const back = rolledBack(diverged, diverged.base.checkpoint, rolledBackTo(diverged.rollbackPoint, 0.5), "spoilt");
    expect(back).toMatchObject({
      phase: "training",
      diverged: null,
      base: { round: 0, lrScale: 0.5 },
      rollbacks: [{ toRound: 0, lrScale: 0.5 }],
    });
    expect(spoil(back)).toMatchObject({ phase: "failed", error: expect.stringContaining("not-finite") });
  });

  it("rolls back after a jump of the loss, but not after an ordinary rise", () => {
    let state = start({}, 100);
    for (let index = 0; index < 25; index++) state = committed(state);
    expect(state.rollbackPoint.round).toBe(10);
    const rise = round(state, (result) => ({ ...result, loss: 4.5 }));
    expect(effectOf(rise)).toEqual({ kind: "reduce" });
    const leap = round(state, (result) => ({ ...result, loss: 8 }));
    expect(effectOf(leap)).toMatchObject({ kind: "roll-back", to: { round: 10 }, lrScale: 0.5 });
  });

  it("counts an audited task when two trainers agree, and quarantines a trainer that disagrees with two", () => {
    const one = leased(start({ audit: 1 }), 0, "liar");
    const lie = {
      ...honestly(one.state, one.lease),
      result: { ...honest(plain, one.lease), sequences: 4, tokens: 256, delta: [nameOf("lie")] },
    };
    // Shard 0 of two has four of the eight sequences of 64 tokens.
    let state = submit(one.state, lie as Submission, 1).state;
    expect(state.slots[0]!.result).toBeNull();
    for (const trainer of ["b", "c"]) {
      const given = leased(state, 2, trainer);
      expect(given.lease.task.shard).toBe(0);
      state = submit(given.state, honestly(given.state, given.lease), 3).state;
    }
    expect(state.slots[0]!.result).toMatchObject({ delta: [nameOf("delta", state.base.checkpoint, 0)] });
    expect(state.trainers).toMatchObject({ liar: { quarantined: true }, b: { quarantined: false }, c: { quarantined: false } });
    expect(state.counts).toMatchObject({ "audit-failed": 1 });
  });

  it("lets a trainer vote once on a task; if no other trainer can vote, its vote counts without audit", () => {
    const one = voted(start({ audit: 1 }), "a", 0);
    expect(one.slots[0]!.result).toBeNull();
    const next = leased(one, 1);
    expect(next.lease.task.shard).toBe(1);
    expect(next.state.slots[0]).toMatchObject({ result: { kind: "train" }, votes: [{ trainer: "a" }] });
    expect(next.state.counts).toEqual({ "audit-dropped": 1 });
  });

  it("counts two answers of one trainer to a task as one vote", () => {
    const first = leased(start({ audit: 1 }));
    expect(leased(first.state).lease.task.shard).toBe(1);
    const again = leased(first.state, MAX_LEASE_MS);
    expect(again.lease.task.shard).toBe(0);
    let state = submit(again.state, honestly(again.state, again.lease), MAX_LEASE_MS).state;
    const late = submit(state, honestly(state, first.lease), MAX_LEASE_MS);
    expect(late.reply).toEqual({ accepted: true, duplicate: true });
    state = late.state;
    expect(state.slots[0]).toMatchObject({ result: null, votes: [{ trainer: "a" }] });
  });

  it("blames neither of two disagreeing trainers if there is no third; the first vote counts", () => {
    const lie = { delta: [nameOf("lie")] };
    const two = voted(voted(start({ audit: 1 }), "liar", 0, lie), "honest", 1);
    const next = lease(two, "liar", "x", 61_000).state;
    expect(next.slots[0]!.result).toMatchObject(lie);
    expect(next.slots[0]!.votes).toHaveLength(2);
    expect(next.trainers).toMatchObject({ liar: { strikes: 0, quarantined: false }, honest: { strikes: 0, quarantined: false } });
    // The same is true if one of the two trainers asks at once.
    expect(lease(two, "honest", "x", 2).state.counts).toEqual({ "audit-dropped": 1 });
  });

  it("waits for a third trainer that is working or was active within the last minute", () => {
    const slow = { ...start({ audit: 1 }), slowestMs: 60_000 };
    const busy = leased(leased(slow, 0, "other").state, 0, "third");
    expect(busy.lease.task.shard).toBe(0);
    const state = submit(busy.state, honestly(busy.state, busy.lease), 0).state;
    expect(state.slots[0]!.result).toBeNull();
    // `other` has been silent for longer than a minute, but its lease of five times the slowest task has not expired.
    expect(lease(state, "third", "x", 5 * 60_000 - 1).state.counts).toEqual({});
    expect(lease(state, "third", "x", 5 * 60_000).state.counts).toEqual({ "audit-dropped": 1 });
  });

  it("counts on a trainer that has only asked and got no task", () => {
    let state = start({ audit: 1 });
    state = { ...state, slots: state.slots.slice(0, 1) };
    const given = [leased(state, 0, "liar")];
    given.push(leased(given[0]!.state, 0, "honest"));
    // Both leases are given out. A trainer without a task is recorded once in half a minute.
    const asked = lease(given[1]!.state, "third", "x", 0);
    expect(asked).toMatchObject({ lease: null, state: { trainers: { third: { seenAt: 0 } } } });
    expect(lease(asked.state, "third", "x", 1000).state).toBe(asked.state);
    const lie = { delta: [nameOf("lie")] };
    state = asked.state;
    for (const [index, change] of [lie, {}].entries()) {
      const good = honestly(state, given[index]!.lease);
      state = submit(state, { ...good, result: { ...good.result, ...change } as Submission["result"] }, 1).state;
    }
    state = lease(state, "honest", "x", 2).state;
    expect(state.counts).toEqual({});
    const decided = leased(state, 3, "third");
    state = submit(decided.state, honestly(decided.state, decided.lease), 4).state;
    expect(state.trainers["liar"]).toMatchObject({ quarantined: true });
    expect(state.trainers["honest"]).toMatchObject({ quarantined: false });
  });

  it("evaluates every k rounds, stops when the loss no longer falls, and ends with the best checkpoint", () => {
    let state = start({ evaluateEvery: 1, patience: 2 }, 50);
    const losses = [3, 2, 2.5, 2.4];
    const checkpoints: string[] = [];
    for (const loss of losses) {
      state = committed(state);
      expect(state.phase).toBe("evaluating");
      checkpoints.push(state.base.checkpoint);
      state = round(state, scored(loss));
    }
    expect(state).toMatchObject({
      phase: "done",
      stopReason: "patience",
      best: { valLoss: expect.closeTo(2, 10) },
      base: { checkpoint: checkpoints[1], round: 2 },
    });
  });

  it("refuses a score over a wrong number of targets, because a trainer could choose the loss with it", () => {
    const state = committed(start({ evaluateEvery: 1, targetLoss: 2 }));
    const given = leased(state);
    const lie = { ...honestly(given.state, given.lease), result: { kind: "evaluate" as const, lossSum: 0, targets: 1e9 } };
    const { state: next, reply } = submit(given.state, lie, 1);
    expect(reply).toEqual({ accepted: false, reason: "wrong-amount" });
    expect(next).toMatchObject({ phase: "evaluating", trainers: { a: { strikes: 1 } } });
  });

  it("stops at the target loss and at the caps on time and cost", () => {
    let state = round(committed(start({ evaluateEvery: 1, targetLoss: 2 })), scored(1.9));
    expect(state).toMatchObject({ phase: "done", stopReason: "target-loss", base: { round: 1 } });
    // Two tasks of 100 ms each.
    state = committed(start({ maxCpuSeconds: 0.2 }));
    expect(state).toMatchObject({ phase: "evaluating", stopReason: "cpu-seconds", spentMs: 200 });
    // 200 ms at a price of 2 cents per million ms.
    expect(committed(start({ maxCents: 0.0004 }))).toMatchObject({ phase: "evaluating", stopReason: "cents" });
    expect(committed(start({ maxCents: 0.0005 }))).toMatchObject({ phase: "training", stopReason: null });
  });

  it("gives no tasks while it is paused but accepts results of leased tasks, and stops with an evaluation", () => {
    const given = leased(start());
    const still = paused(given.state);
    expect(lease(still, "b", "x", 0).lease).toBeNull();
    expect(submit(still, honestly(still, given.lease), 1).reply).toEqual({ accepted: true, duplicate: false });
    expect(leased(resumed(still), 1).lease.task.shard).toBe(1);
    const end = round(stopped(given.state, 2));
    expect(end).toMatchObject({ phase: "done", stopReason: "stopped", base: { round: 0 } });
  });

  // `npm run soak -- simulate` runs 10,000 seeds and the mutants of the reducer.
  it("ends every faulty history in the checkpoint of the history without faults, and every fault occurs", () => {
    const drawn = new Set<string>();
    for (let seed = 0; seed < 200; seed++) for (const fault of Object.keys(simulate(seed, protocol).drawn)) drawn.add(fault);
    expect([...drawn].toSorted()).toEqual([...FAULTS].toSorted());
  });

  it("rolls back at the same rate after damage, even in the last evaluation; fails without a rollback point", () => {
    let state = start({}, 25);
    for (let index = 0; index < 25; index++) state = committed(state);
    expect(state).toMatchObject({ phase: "evaluating", stopReason: "rounds" });
    const broken = damaged(state, state.base.checkpoint, "part x: expected this hash");
    expect(lease(broken, "a", "x", 0).lease).toBeNull();
    expect(effectOf(broken)).toMatchObject({ kind: "roll-back", to: { round: 10 }, lrScale: 1 });
    const back = rolledBack(broken, broken.base.checkpoint, broken.rollbackPoint, "part x: expected this hash");
    expect(back).toMatchObject({ phase: "training", stopReason: null, damaged: null, base: { round: 10, lrScale: 1 } });
    // A report about a part of an older checkpoint changes nothing.
    expect(damaged(back, state.base.checkpoint, "late")).toBe(back);
    expect(damaged(start(), start().base.checkpoint, "gone")).toMatchObject({ phase: "failed", error: "gone" });
  });
});
