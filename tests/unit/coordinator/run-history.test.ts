/** The history of a long run: a status reads few rows and shows the same as if it read all rows. */
import { describe, expect, it } from "vitest";
import { RunHistory, type RoundRow } from "../../../workers/coordinator/run-history.ts";
import { storage } from "./storage.ts";

const lossOf = (round: number) => 4 - round / 10_000;

/** A history of rounds from `first` on, with an evaluation every 1000 rounds. */
function historyOf(first: number, rounds: number) {
  const { database, asStorage, queries } = storage();
  const history = new RunHistory(asStorage.sql);
  const insert = database.prepare("INSERT INTO rounds VALUES (?, ?, ?)");
  for (let round = first; round < first + rounds; round++) insert.run(round, lossOf(round), 1000 * round);
  const evaluate = database.prepare("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?)");
  for (let round = first; round <= first + rounds; round += 1000) evaluate.run(round, "c", 3, 1000 * round, 1000 * round + 10);
  return { history, database, queries };
}

describe("a history", () => {
  it.each([
    [0, 0],
    [0, 1],
    [0, 200],
    [0, 201],
    [36, 1234],
    [7, 10_000],
  ])("from round %i over %i rounds has a curve of every k-th round and the last round", (first, rounds) => {
    const { history } = historyOf(first, rounds);
    const all = Array.from({ length: rounds }, (_, index) => ({ round: first + index, loss: lossOf(first + index) }));
    const every = Math.ceil(rounds / 200);
    const expected = all.filter((_, index) => index % every === 0 || index === rounds - 1);
    expect(history.losses(200)).toEqual(expected);
    expect(history.summary()).toMatchObject({ firstLoss: all[0]?.loss ?? null });
    expect(history.summary().recent.map(({ round }) => round)).toEqual(all.slice(-9).map(({ round }) => round));
  });

  it("gives the time when an evaluated checkpoint was committed, and null for a run's first checkpoint", () => {
    const { history } = historyOf(5000, 2000);
    expect(history.summary().evaluations.map(({ round, committed_at }) => [round, committed_at])).toEqual([
      [5000, null],
      [6000, 5_999_000],
      [7000, 6_999_000],
    ]);
  });

  it("never scans the table of rounds for a status", () => {
    const { history, database, queries } = historyOf(0, 10_000);
    queries.length = 0;
    history.summary();
    history.losses(200);
    const planOf = (query: string) =>
      database
        .prepare(`EXPLAIN QUERY PLAN ${query}`)
        .all(...(query.includes("?") ? ["[1]"] : []))
        .map(({ detail }) => String(detail))
        .join("; ");
    // Only queries without a limit are checked. A query with a limit reads the table in the order of its key and stops at the
    // limit.
    const unlimited = queries.filter((query) => query.startsWith("SELECT") && !query.includes("LIMIT"));
    expect(unlimited.map(planOf)).toEqual([
      expect.stringMatching(/^SCAN evaluations; SEARCH rounds USING INTEGER PRIMARY KEY/),
      expect.stringMatching(/^SEARCH rounds USING INTEGER PRIMARY KEY/),
    ]);
  });

  it("reads no row twice while rounds are committed", () => {
    const { history, queries } = historyOf(0, 20);
    history.summary();
    queries.length = 0;
    const results = [{ result: { kind: "train", loss: 2, sequences: 4 } }];
    const before = { base: { round: 20 }, slots: results, rollbacks: [], evaluations: 0 };
    history.record(before as never, { ...before, base: { round: 21 } } as never, 77);
    expect(history.summary().recent.at(-1)).toEqual({ round: 20, loss: 2, committed_at: 77 } satisfies RoundRow);
    expect(queries.filter((query) => query.startsWith("SELECT"))).toEqual([]);
  });
});

describe("a curve in stretches", () => {
  const whole = { from: undefined, to: undefined };

  it.each([2, 10, 50, 400, 1000])("keeps one spike in a thousand rounds visible in %i stretches", (points) => {
    const { history, database } = historyOf(0, 1000);
    database.prepare("UPDATE rounds SET loss = 9 WHERE round = 537").run();
    for (const range of [whole, { from: 500, to: 600 }, { from: 537, to: 537 }]) {
      const { stretches, first, last } = history.curve({ ...range, points });
      expect(stretches.length).toBeLessThanOrEqual(points);
      expect(Math.max(...stretches.map(({ high }) => high))).toBe(9);
      expect([first?.round, last?.round]).toEqual([range.from ?? 0, range.to ?? 999]);
    }
  });

  it("has the least, mean and greatest loss of its rounds, and nothing where there are none", () => {
    const { history } = historyOf(10, 6);
    expect(history.curve({ ...whole, points: 3 })).toMatchObject({
      every: 2,
      stretches: [11, 13, 15].map((round) => ({
        round,
        low: lossOf(round),
        mean: expect.closeTo((lossOf(round) + lossOf(round - 1)) / 2, 10) as number,
        high: lossOf(round - 1),
        at: 1000 * round,
      })),
    });
    expect(history.curve({ from: 16, to: 99, points: 5 })).toEqual({ stretches: [], every: 1, first: null, last: null });
  });
});
