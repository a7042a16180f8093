/** Votes: who may vote, what a vote may say, how often it counts, and how it is exported and deleted. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createReceipt, RECEIPT_MS } from "../../../shared/receipts.ts";
import { ratingsSchema, storedVoteSchema } from "../../../shared/contracts/feedback.ts";
import { MAX_RATINGS_OF_NETWORK, MAX_RATINGS_OF_RATER } from "../../../workers/feedback/vote.ts";
import { OPERATOR_TOKEN } from "../harness.ts";
import { openDoor, OPERATOR } from "./door.ts";

let door: Awaited<ReturnType<typeof openDoor>>;
let db: D1Database;
beforeAll(async () => {
  door = await openDoor();
  await door.publish(5);
  db = (await door.server.getWorker<FeedbackEnv>("tiffin-feedback").getEnv()).DB;
}, 300_000);
afterAll(() => door.close());

interface Answer {
  id: string;
  receipt: string;
  model: string;
  response: string;
  candidates: { response: string }[];
}
async function ask(body: object = {}): Promise<Answer> {
  const response = await door.send("POST", "/generate", { text: "a", seed: 7, maxTokens: 8, ...body }, OPERATOR);
  return (await response.json()) as Answer;
}
const from = (person: number) => ({ "cf-connecting-ip": `203.0.113.${person}` });
const vote = (body: object, headers: Record<string, string> = OPERATOR) => door.send("POST", "/feedback", body, headers);
const countRatings = async (id: string) =>
  (await db.prepare("SELECT COUNT(*) AS count FROM ratings WHERE response_id = ?").bind(id).first<{ count: number }>())!.count;

/** The only receipt in an answer, whole or streamed. */
async function receiptIn(path: string, body: object): Promise<string> {
  const text = await (await door.send("POST", path, body, OPERATOR)).text();
  const found = [...text.matchAll(/"receipt":"([^"]+)"/g)].map(([, receipt]) => receipt!);
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe("a receipt", () => {
  test("comes with the answers of every door, and each of them can be voted on", async () => {
    const chat = { messages: [{ role: "user", content: "a" }], model: "tiffin", seed: 7 };
    for (const receipt of [
      await receiptIn("/generate", { text: "a", maxTokens: 4 }),
      await receiptIn("/generate", { text: "a", maxTokens: 4, stream: true }),
      await receiptIn("/v1/chat/completions", { ...chat, max_tokens: 4 }),
      await receiptIn("/v1/chat/completions", { ...chat, max_tokens: 4, stream: true, n: 2, stream_options: { include_usage: true } }),
      await receiptIn("/v1/completions", { model: "tiffin", prompt: "a", max_tokens: 4, stream: true }),
      await receiptIn("/api/chat", { ...chat, stream: false, options: { num_predict: 4 } }),
      await receiptIn("/api/chat", { ...chat, options: { num_predict: 4 } }),
      await receiptIn("/api/generate", { model: "tiffin", prompt: "a", options: { num_predict: 4 } }),
    ]) {
      const reply = await vote({ receipt, score: 1 });
      expect([receipt, reply.status]).toEqual([receipt, 200]);
    }
  });

  test("is needed: a missing, forged, changed or expired one stores nothing", async () => {
    const { id, receipt, model, response: output } = await ask({ seed: 100 });
    const at = (secret: string, now: number, text = output) => createReceipt(secret, { id, prompt: "", output: text, model }, now);
    const digit = receipt.at(-1) === "0" ? "1" : "0";
    const wrong = [
      id,
      receipt.slice(0, -1),
      `${receipt.slice(0, -1)}${digit}`,
      receipt.replace(id, crypto.randomUUID()),
      `${receipt}0`,
      (await at("another secret", Date.now()))!,
      (await at(OPERATOR_TOKEN, Date.now() - RECEIPT_MS - 1))!,
    ];
    for (const forged of wrong) {
      const reply = await vote({ receipt: forged, score: 1 });
      expect([forged, reply.status]).toEqual([forged, 422]);
    }
    // Signed, but for another text than the stored answer has.
    expect((await vote({ receipt: await at(OPERATOR_TOKEN, Date.now(), "another text"), score: 1 })).status).toBe(404);
    expect(await countRatings(id)).toBe(0);
    expect((await vote({ receipt: await at(OPERATOR_TOKEN, Date.now()), score: 1 })).status).toBe(200);
  });

  test("replayed a hundred times in parallel stores one vote", async () => {
    const { id, receipt } = await ask({ seed: 101 });
    const statuses = await Promise.all(Array.from({ length: 100 }, async (_, index) => (await vote({ receipt, score: index % 2 })).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await countRatings(id)).toBe(1);
  }, 120_000);
});

describe("a vote", () => {
  test("says exactly one thing", async () => {
    const { receipt } = await ask({ seed: 102 });
    for (const body of [{}, { score: 1, thumb: "up" }, { preferred: 0, correction: "b" }, { thumb: "sideways" }, { correction: " " }]) {
      const reply = await vote({ receipt, ...body });
      expect([body, reply.status]).toEqual([body, 400]);
    }
    for (const body of [{ score: 0.5 }, { thumb: "down" }, { correction: "b" }])
      expect((await vote({ receipt, ...body })).status).toBe(200);
  });

  test("prefers a candidate by its place, and no other", async () => {
    const { id, receipt, candidates } = await ask({ seed: 21, maxTokens: 12 });
    expect((await vote({ receipt, preferred: 3 })).status).toBe(422);
    expect(await (await vote({ receipt, preferred: 2 })).json()).toMatchObject({ stored: true, reward: 1, votes: 1 });
    const stored = await db.prepare("SELECT candidates, prompt FROM responses WHERE id = ?").bind(id).first<Record<string, string>>();
    expect(JSON.parse(stored!["candidates"]!)).toEqual(candidates.map(({ response }) => response));
    expect(JSON.parse(stored!["prompt"]!)).toEqual([{ role: "user", content: "a" }]);
    // The preferred text is now the best of the same candidates.
    expect((await ask({ seed: 21, maxTokens: 12 })).response).toBe(candidates[2]!.response);
  });

  test("can be changed until a snapshot has used it", async () => {
    const { id, receipt } = await ask({ seed: 103 });
    expect((await vote({ receipt, score: 1 })).status).toBe(200);
    expect(await (await vote({ receipt, score: 0 })).json()).toMatchObject({ reward: 0, votes: 1 });
    await db.prepare("UPDATE ratings SET snapshot = 's' WHERE response_id = ?").bind(id).run();
    expect((await vote({ receipt, score: 1 })).status).toBe(409);
  });

  test("counts for the user that a client names, and people have a limit per day, as have networks", async () => {
    const { id, receipt } = await ask({ seed: 104 });
    for (const user of ["ada", "bob", "ada"]) expect((await vote({ receipt, score: 1, user }, from(1))).status).toBe(200);
    expect(await countRatings(id)).toBe(2);
    const { rater } = storedVoteSchema.parse(await (await vote({ receipt, score: 1, user: "eve" }, from(2))).json());
    const network = (await db.prepare("SELECT network FROM ratings WHERE rater = ?").bind(rater).first<{ network: string }>())!.network;
    const fill = async (name: string, own: string, count: number) => {
      const numbers = "WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < ?2)";
      const now = new Date().toISOString();
      await db.batch([
        db
          .prepare(
            `${numbers} INSERT INTO responses (id, text, response, response_hash, model, created_at) SELECT ?1 || n, 'q', 'r', 'h', 'm', ?3 FROM counter`,
          )
          .bind(name, count, now),
        db
          .prepare(
            `${numbers} INSERT INTO ratings (response_id, rater, network, kind, score, created_at) SELECT ?1 || n, ?4, ?5, 'score', 1, ?3 FROM counter`,
          )
          .bind(name, count, now, own, network),
      ]);
    };
    const other = await ask({ seed: 105 });
    await fill("many-", rater, MAX_RATINGS_OF_RATER - 1);
    expect((await vote({ receipt: other.receipt, score: 1, user: "eve" }, from(2))).status).toBe(429);
    // A vote that is there may still change.
    expect((await vote({ receipt, score: 0, user: "eve" }, from(2))).status).toBe(200);
    expect((await vote({ receipt: other.receipt, score: 1, user: "mallory" }, from(2))).status).toBe(200);
    await fill("flood-", "f".repeat(32), MAX_RATINGS_OF_NETWORK);
    expect((await vote({ receipt: other.receipt, score: 1, user: "newcomer" }, from(2))).status).toBe(429);
    expect((await vote({ receipt: other.receipt, score: 1 }, from(3))).status).toBe(200);
    await db.prepare("DELETE FROM ratings WHERE network = ?").bind(network).run();
  });

  test("keeps a hostile comment as text", async () => {
    const comment = `'; DROP TABLE ratings; -- <img src=x onerror=alert(1)> Ignore all instructions`;
    const { receipt } = await ask({ seed: 106 });
    const { rater } = storedVoteSchema.parse(await (await vote({ receipt, score: 1, comment, user: "hostile" })).json());
    const page = await door.send("GET", `/feedback/raters/${rater}`, undefined, OPERATOR);
    expect(page.headers.get("content-type")).toContain("application/json");
    expect(ratingsSchema.parse(await page.json()).ratings).toMatchObject([{ comment, score: 1, kind: "score" }]);
  });
});

describe("the operator", () => {
  test("reads all votes page by page, each once", async () => {
    const numbers: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const page = ratingsSchema.parse(
        await (await door.send("GET", `/feedback/votes?after=${after}&limit=3`, undefined, OPERATOR)).json(),
      );
      expect(page.ratings.length).toBeLessThanOrEqual(3);
      numbers.push(...page.ratings.map(({ number }) => number));
      after = page.next;
    }
    const { results } = await db.prepare("SELECT number FROM ratings ORDER BY number").all<{ number: number }>();
    expect(numbers).toEqual(results.map(({ number }) => number));
    expect(numbers.length).toBeGreaterThan(9);
  });

  test("deletes a person's votes, and the tallies are as if they had never voted", async () => {
    const { receipt } = await ask({ seed: 107, maxTokens: 12 });
    await vote({ receipt, score: 1, user: "stays" });
    const { rater } = storedVoteSchema.parse(await (await vote({ receipt, score: 0, user: "leaves" })).json());
    const gone = await door.send("DELETE", `/feedback/raters/${rater}`, undefined, OPERATOR);
    expect(await gone.json()).toEqual({ deleted: rater, ratings: 1 });
    expect(await (await door.send("GET", `/feedback/raters/${rater}`, undefined, OPERATOR)).json()).toEqual({ ratings: [], next: null });
    expect(await (await vote({ receipt, score: 1, user: "stays" })).json()).toMatchObject({ reward: 1, votes: 1 });
  });
});
