/** Migrations keep the data of older versions: the tallies after the second migration equal the means before it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { ROOT } from "../../../scripts/local/workers.ts";
import { SQL } from "../../../workers/feedback/statements.ts";

const migration = (name: string) => readFileSync(join(ROOT, "workers/feedback/migrations", name), "utf8");

test("votes of the first version become tallies with one vote per text and person, the newest", () => {
  const db = new DatabaseSync(":memory:");
  db.exec(migration("0001_responses_and_scores.sql"));
  const answers = [
    ["a1", "hash-a"],
    ["a2", "hash-a"],
    ["b1", "hash-b"],
    ["c1", "hash-c"],
  ] as const;
  for (const [id, hash] of answers)
    db.prepare("INSERT INTO responses VALUES (?, 'q', 'r', ?, 'm', '2026-11-01T00:00:00.000Z')").run(id, hash);
  const scores = [
    ["a1", "ada", 0.25, "2026-11-02"],
    ["a2", "ada", 0.75, "2026-11-03"],
    ["a1", "bob", 0.5, "2026-11-02"],
    ["b1", "bob", 1, "2026-11-02"],
  ] as const;
  for (const [id, voter, score, time] of scores) db.prepare("INSERT INTO scores VALUES (?, ?, ?, NULL, ?)").run(id, voter, score, time);

  db.exec(migration("0002_tallies_and_retention.sql"));

  const tally = (hash: string) => ({ ...db.prepare(SQL.tally).get(hash) });
  expect(tally("hash-a")).toEqual({ votes: 2, millionths: 1_250_000 });
  expect(tally("hash-b")).toEqual({ votes: 1, millionths: 1_000_000 });
  expect(tally("hash-c")).toEqual({});
  const scored = db.prepare("SELECT id, scored_at FROM responses ORDER BY id").all();
  expect(scored.map((row) => row["scored_at"])).toEqual(["2026-11-02", "2026-11-03", "2026-11-02", null]);

  db.exec(migration("0003_ratings_and_learning.sql"));
  expect(
    db
      .prepare("SELECT response_id, rater, kind, score FROM ratings ORDER BY number")
      .all()
      .map((row) => Object.values(row)),
  ).toEqual([
    ["a1", "ada", "score", 0.25],
    ["a1", "bob", "score", 0.5],
    ["b1", "bob", "score", 1],
    ["a2", "ada", "score", 0.75],
  ]);

  // Code of the version before still votes, also on an answer that has a rating.
  const old = "INSERT INTO scores (response_id, voter, score, comment, created_at) VALUES ('a1', 'ada', 1, NULL, '2026-11-04')";
  expect(() => db.exec(old)).not.toThrow();
});
