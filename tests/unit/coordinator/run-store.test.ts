/** The stored state of runs, on real SQLite: every format can be decoded forever, and a failed write changes nothing. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { answer, checkpointAfter, drawScene, firstBase, honest, rolledBackTo } from "../../../scripts/simulation/world.ts";
import { MAX_DURABLE_ROW_BYTES } from "../../../shared/limits.ts";
import { effectOf, lease, reduced, rolledBack, stopped, submit } from "../../../shared/training/protocol/run.ts";
import { initialState, trainResults, type RunState } from "../../../shared/training/protocol/run-state.ts";
import { RunStore } from "../../../workers/coordinator/run-store.ts";
import { storage } from "./storage.ts";

/** For a format: the rows of `kept` in the middle of a round, as a version with that format wrote them. */
const golden = (format: number): { name: string; json: string }[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, "stored", `format-${format}.json`), "utf8")) as { name: string; json: string }[];

const keptRows = (database: DatabaseSync) => database.prepare("SELECT * FROM kept ORDER BY name").all();

const scene = { ...drawScene(0), byzantine: false, spikeRound: -1 };

/** Leases, computes and submits every task of the round. */
function computed(state: RunState): RunState {
  let next = state;
  while (effectOf(next) === null) {
    const given = lease(next, "t", `l${next.tasks}`, 1000);
    next = submit(given.state, answer(given.lease!, "t", honest({ ...scene, spec: next.spec }, given.lease!)), 1100).state;
  }
  return next;
}

const commit = (state: RunState) => reduced(state, state.base.checkpoint, checkpointAfter(state.base, trainResults(state)), 1200);

describe("stored runs", () => {
  it.each([2, 3, 4])("of format %i are read in mid-round, upgraded and continued", (format) => {
    const { database, asStorage } = storage();
    const rows = golden(format);
    const store = new RunStore(asStorage);
    for (const { name, json } of rows) database.prepare("INSERT INTO kept VALUES (?, ?)").run(name, json);
    const state = store.load()!;
    expect(Object.keys(state).toSorted()).toEqual(Object.keys(initialState(scene.spec, firstBase(scene.spec))).toSorted());
    expect(state.spec.training.objective).toBe("pretrain");
    expect([state.rollbackPoint.round, state.nextRollbackPoint.round, state.evaluationsSinceBest, state.recentLosses]).toEqual([
      0,
      0,
      0,
      [4],
    ]);
    expect(state.base.round).toBe(1);
    expect(state.slots.map(({ result }) => result === null)).toEqual([false, true]);
    const complete = computed(state);
    store.save(state, complete, 1100);
    const next = commit(complete);
    expect(next.base.round).toBe(2);
    store.save(complete, next, 1200);
    // A second start finds the current format and the same state.
    expect(new RunStore(asStorage).load()).toEqual(next);
    expect(store.read("format")).toBe(4);
  });

  it("are written exactly as in the newest golden file", () => {
    const { database, asStorage } = storage();
    const store = new RunStore(asStorage);
    for (const { name, json } of golden(4)) database.prepare("INSERT INTO kept VALUES (?, ?)").run(name, json);
    const state = store.load()!;
    const fresh = storage();
    new RunStore(fresh.asStorage).save(null, state, 1);
    expect(keptRows(fresh.database)).toEqual(keptRows(database));
  });

  it("of a newer format are refused and not changed", () => {
    const { database, asStorage } = storage();
    const store = new RunStore(asStorage);
    const insert = database.prepare("INSERT INTO kept VALUES (?, ?)");
    for (const { name, json } of golden(4)) insert.run(name, name === "format" ? "5" : json);
    const before = database.prepare("SELECT * FROM kept").all();
    expect(() => store.load()).toThrow("expected a format of 2 to 4, got 5");
    expect(database.prepare("SELECT * FROM kept").all()).toEqual(before);
  });

  it("do not change when the write of an event fails", () => {
    const { database, asStorage } = storage();
    const store = new RunStore(asStorage);
    const state = initialState(scene.spec, firstBase(scene.spec));
    store.save(null, state, 1);
    // The transaction also takes back a field that was written before the too large field.
    const huge = { ...state, paused: true, error: "x".repeat(MAX_DURABLE_ROW_BYTES + 1) };
    expect(() => store.save(state, huge, 2)).toThrow("row state/error: expected at most");
    expect(store.load()).toEqual(state);
    const complete = computed(state);
    store.save(state, complete, 3);
    // The pointer does not move if its round cannot be recorded.
    database.exec("DROP TABLE rounds");
    expect(() => store.save(complete, commit(complete), 4)).toThrow("no such table: rounds");
    expect(store.load()).toEqual(complete);
  });

  it("record committed rounds, and no round whose reduction ended after the run was stopped", () => {
    const store = new RunStore(storage().asStorage);
    const start = initialState(scene.spec, firstBase(scene.spec));
    store.save(null, start, 1);
    const one = commit(computed(start));
    store.save(computed(start), one, 2);
    expect(store.history.losses(200)).toEqual([{ round: 0, loss: 4 }]);
    const complete = computed(one);
    const next = checkpointAfter(complete.base, trainResults(complete));
    const halted = stopped(complete, 3);
    store.save(complete, halted, 3);
    store.save(halted, reduced(halted, complete.base.checkpoint, next, 4), 4);
    expect(store.history.losses(200)).toHaveLength(1);
    const late = rolledBackTo(one.rollbackPoint, 0.5);
    store.save(halted, rolledBack(halted, complete.base.checkpoint, late, "too late"), 5);
    expect(store.history.losses(200)).toHaveLength(1);
    store.save(complete, rolledBack(complete, complete.base.checkpoint, late, "leap"), 6);
    expect(store.history.losses(200)).toEqual([]);
  });
});
