/** Limits on the work that callers can cause: health checks, questions to the registry, rows of the database. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../../scripts/local/workers.ts";
import { sha256 } from "../../../shared/store.ts";
import { deleteOld, SCORED_DAYS, UNSCORED_DAYS } from "../../../workers/feedback/retention.ts";
import { SQL } from "../../../workers/feedback/statements.ts";
import { FeedbackStore } from "../../../workers/feedback/store.ts";
import { openDoor, OPERATOR } from "./door.ts";

const DAY_MS = 24 * 3_600_000;
/** The scans that statements may make, as patterns of the query plan. `ping` and `timeOfOldestKept` stop at the first row. */
const ALLOWED_SCANS: Readonly<Record<string, readonly string[]>> = {
  // Scans only a subquery, whose rows are limited.
  unscoredSince: [expect.stringMatching(/^SCAN \(?subquery/i) as string],
  scoredSince: [expect.stringMatching(/^SCAN \(?subquery/i) as string],
  ratingsOfRater: [expect.stringMatching(/^SCAN \(?subquery/i) as string],
  ratingsOfNetwork: [expect.stringMatching(/^SCAN \(?subquery/i) as string],
  ping: [expect.stringMatching(/^SCAN responses/) as string],
  timeOfOldestKept: [],
};

let door: Awaited<ReturnType<typeof openDoor>>;
let db: D1Database;
beforeAll(async () => {
  door = await openDoor();
  db = (await door.server.getWorker<FeedbackEnv>("tiffin-feedback").getEnv()).DB;
}, 300_000);
afterAll(() => door.close());

const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
const hashOf = (text: string) => sha256(new TextEncoder().encode(text));
const answer = { text: "q", model: "m", prompt: null, candidates: null };
const rating = (id: string, rater: string, scored: { hash: string; score: number }, createdAt = new Date().toISOString()) => ({
  id,
  scored,
  rater,
  network: rater,
  kind: "score" as const,
  preferred: null,
  correction: null,
  comment: "good",
  createdAt,
});
const generate = (body: object) => door.send("POST", "/generate", { text: "a", seed: 7, maxTokens: 8, ...body }, OPERATOR);

/** The database, with a counter of the rows that its batches read. */
function counted(): { store: FeedbackStore; rowsRead: () => number } {
  let rows = 0;
  const batch: D1Database["batch"] = async <T>(statements: D1PreparedStatement[]) => {
    const results = await db.batch<T>(statements);
    for (const { meta } of results) rows += meta.rows_read;
    return results;
  };
  const counting = { prepare: (sql: string) => db.prepare(sql), batch } as D1Database;
  return { store: new FeedbackStore(counting), rowsRead: () => rows };
}

test("many health checks share one look per second", async () => {
  const startedAt = Date.now();
  const states = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const response = await door.send("GET", "/health");
      return { status: response.status, ...((await response.json()) as { ok: boolean; checkedAt: string }) };
    }),
  );
  const seconds = Math.ceil((Date.now() - startedAt) / 1000);
  expect(states.filter(({ status, ok }) => status !== 200 || !ok)).toEqual([]);
  expect(new Set(states.map(({ checkedAt }) => checkedAt)).size).toBeLessThanOrEqual(seconds + 1);
});

test("without a model, requests together ask the registry a limited number of times", async () => {
  const errors: string[] = [];
  const startedAt = Date.now();
  for (let index = 0; index < 40; index++) {
    const response = await generate({});
    expect(response.status).toBe(503);
    errors.push(((await response.json()) as { error: string }).error);
  }
  const periods = Math.floor((Date.now() - startedAt) / 10_000) + 2;
  const asked = errors.filter((error) => error.includes("no model is active yet")).length;
  expect(asked).toBeGreaterThan(0);
  // The first question of an isolate is free. Then ten are allowed per ten seconds.
  expect(asked).toBeLessThanOrEqual(1 + 10 * periods);
  expect(errors.some((error) => error.includes("a moment ago")) || periods > 4).toBe(true);
});

test.each(Object.entries(SQL))("%s finds its rows by a key or an index", async (name, sql) => {
  const parameters = Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map(([, index]) => Number(index)));
  const { results } = await db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...Array.from({ length: parameters }, () => 1))
    .all<{ detail: string }>();
  const scans = results.map(({ detail }) => detail).filter((detail) => detail.startsWith("SCAN") || detail.includes("TEMP B-TREE"));
  expect(scans).toEqual(ALLOWED_SCANS[name] ?? []);
});

test("statements.ts holds every statement, and feedback is the only Worker with a database", () => {
  const files = readdirSync(join(ROOT, "workers"), { recursive: true, encoding: "utf8" });
  const sources = files.filter((name) => name.startsWith("feedback/") && name.endsWith(".ts") && !name.endsWith("statements.ts"));
  const inline = sources.filter((name) => /\b(SELECT|INSERT|UPDATE|DELETE FROM)\b/.test(readFileSync(join(ROOT, "workers", name), "utf8")));
  expect(inline).toEqual([]);
  const configs = files.filter((name) => name.endsWith("wrangler.toml"));
  expect(configs.filter((name) => readFileSync(join(ROOT, "workers", name), "utf8").includes("d1_databases"))).toEqual([
    "feedback/wrangler.toml",
  ]);
});

test("ranking reads at most 20 rows after 10,000 equal answers with votes by 40 people", async () => {
  const text = "an equal answer";
  const hash = await hashOf(text);
  await db
    .prepare(
      `WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 10000)
      INSERT INTO responses (id, text, response, response_hash, model, created_at)
      SELECT 'equal-' || n, 'question', ?1, ?2, 'model', ?3 FROM counter`,
    )
    .bind(text, hash, new Date().toISOString())
    .run();
  const { store, rowsRead } = counted();
  for (let person = 1; person <= 40; person++) {
    await store.putRating(rating(`equal-${person}`, `v${person}`, { hash, score: person % 2 }));
  }
  const before = rowsRead();
  const tallies = await store.tallies([hash, ...(await Promise.all(["b", "c", "d", "e", "f", "g", "h"].map(hashOf)))]);
  expect(tallies[0]).toEqual({ reward: 0.5, votes: 40 });
  expect(rowsRead() - before).toBeGreaterThan(0);
  expect(rowsRead() - before).toBeLessThanOrEqual(20);
}, 120_000);

test("a tally is the exact mean of the newest scores, for any order and number", async () => {
  const { store } = counted();
  const responseHash = await hashOf("exact");
  const add = (id: string) => store.addResponse({ ...answer, id, response: "exact", responseHash, createdAt: new Date().toISOString() });
  await Promise.all([add("exact-1"), add("exact-2")]);
  const put = (id: string, voter: string, score: number) => store.putRating(rating(id, voter, { hash: responseHash, score }));
  for (let round = 0; round < 10; round++) for (const score of [0.1, 0.7, 0.3]) await put(`exact-${(round % 2) + 1}`, "ada", score);
  expect(await put("exact-1", "bob", 0.1)).toEqual({ reward: (0.3 + 0.1) / 2, votes: 2 });
});

test("cron deletes rows that are too old, and no others", async () => {
  const { store } = counted();
  const add = async (id: string, days: number) =>
    store.addResponse({ ...answer, id, response: id, responseHash: await hashOf(id), createdAt: ago(days) });
  const score = async (id: string, days: number) => store.putRating(rating(id, "ada", { hash: await hashOf(id), score: 1 }, ago(days)));
  await add("new", UNSCORED_DAYS - 1);
  await add("old", UNSCORED_DAYS + 1);
  await add("scored", UNSCORED_DAYS + 1);
  await score("scored", SCORED_DAYS - 1);
  await add("outlived", SCORED_DAYS + 2);
  await score("outlived", SCORED_DAYS + 1);
  await door.server.getWorker("tiffin-feedback").scheduled({ cron: "*/10 * * * *" });
  const known = async (id: string) => (await store.votedAnswer(id, "ada")) !== null;
  expect(await Promise.all(["new", "old", "scored", "outlived"].map(known))).toEqual([true, false, true, false]);
  const tallies = await store.tallies(await Promise.all(["scored", "outlived"].map(hashOf)));
  expect(tallies.map(({ votes }) => votes)).toEqual([1, 0]);
  const { results } = await db.prepare("SELECT response_id FROM ratings WHERE response_id IN ('scored', 'outlived')").all();
  expect(results).toEqual([{ response_id: "scored" }]);
});

test("if there are too many answers, the oldest are deleted, except scored answers", async () => {
  const { store } = counted();
  const now = Date.now();
  await db
    .prepare(
      `WITH RECURSIVE counter (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM counter WHERE n < 299)
      INSERT INTO responses (id, text, response, response_hash, model, created_at)
      SELECT 'late-' || n, 'question', 'answer', 'hash', 'model', strftime('%Y-%m-%dT%H:%M:%fZ', ?1 / 1000.0 + n, 'unixepoch') FROM counter`,
    )
    .bind(now)
    .run();
  await deleteOld(store, now, 100);
  const { results } = await db
    .prepare("SELECT id, scored_at FROM responses ORDER BY rowid")
    .all<{ id: string; scored_at: string | null }>();
  const unscored = results.filter(({ scored_at }) => scored_at === null).map(({ id }) => id);
  expect(unscored).toEqual(Array.from({ length: 100 }, (_, index) => `late-${200 + index}`));
  expect(results.length - unscored.length).toBeGreaterThanOrEqual(40);
});
