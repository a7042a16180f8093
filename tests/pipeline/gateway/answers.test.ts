/** Answers and votes through the gateway, malformed bodies, and traces of answers. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noLatencies } from "../../../shared/costs/latency.ts";
import { sha256 } from "../../../shared/store.ts";
import { openDoor, OPERATOR } from "./door.ts";
import { testMalformed } from "./malformed.ts";
import { testTrace } from "./trace.ts";

interface Answer {
  id: string;
  receipt: string;
  response: string;
  model: string;
  candidates: { response: string; reward: number }[];
  usage: { promptTokens: number; completionTokens: number };
}

const rater: unknown = expect.stringMatching(/^[0-9a-f]{32}$/);

let door: Awaited<ReturnType<typeof openDoor>>;
let model = "";
/** The status of an answer before any model is published. */
let before = 0;
beforeAll(async () => {
  door = await openDoor();
  before = (await door.send("POST", "/generate", { text: "a" }, OPERATOR)).status;
  model = await door.publish(5);
}, 300_000);
afterAll(() => door.close());

async function ask(body: object): Promise<Answer> {
  const response = await door.send("POST", "/generate", { seed: 7, maxTokens: 8, ...body }, OPERATOR);
  expect(response.status).toBe(200);
  return (await response.json()) as Answer;
}
const vote = (body: object, headers: Record<string, string> = OPERATOR) => door.send("POST", "/feedback", body, headers);

test("the active model answers with the candidate that has the best votes", async () => {
  expect(before).toBe(503);
  const question = { text: "Grüße", context: { place: "gym" } };
  const first = await ask(question);
  expect([first.model, first.candidates.map(({ reward }) => reward)]).toEqual([model, [0, 0, 0]]);
  for (const score of [0.25, 0.75])
    expect(await (await vote({ receipt: first.receipt, score })).json()).toEqual({ stored: true, reward: score, votes: 1, rater });
  expect((await ask(question)).candidates[0]).toMatchObject({ response: first.response, reward: 0.75 });
  // A candidate that did not win is requested alone, so it gets an id. After a vote above the winner's, it wins.
  const alone = await Promise.all([8, 9].map((seed) => ask({ ...question, candidates: 1, seed })));
  const other = alone.find(({ response }) => response !== first.response)!;
  await vote({ receipt: other.receipt, score: 1 });
  expect((await ask(question)).candidates[0]).toMatchObject({ response: other.response, reward: 1 });
  const health = await door.send("GET", "/health");
  const parts = Object.fromEntries(
    ["gateway", "collector", "tokenizer", "coordinator", "trainer", "generator", "feedback"].map((part) => [part, "up"]),
  );
  expect([health.status, await health.json()]).toEqual([200, { ok: true, model, parts, checkedAt: expect.any(String) }]);
});

test("a candidate with a bad vote ranks below unrated candidates", async () => {
  const question = { text: "down", seed: 21, maxTokens: 12 };
  const first = await ask(question);
  expect(first.candidates.map(({ reward }) => reward)).toEqual([0, 0, 0]);
  await vote({ receipt: first.receipt, score: 0 });
  const again = await ask(question);
  const texts = first.candidates.map(({ response }) => response);
  expect(new Set(texts).size).toBe(3);
  expect(again.candidates.map(({ response }) => response)).toEqual([texts[1], texts[2], texts[0]]);
  expect([again.response, again.candidates.map(({ reward }) => reward)]).toEqual([texts[1], [0, 0, 0]]);
});

test("the reward is the mean over different people", async () => {
  const { receipt } = await ask({ text: "mean", seed: 99, maxTokens: 12 });
  const scores = [0, 0.5, 1];
  const voters = scores.map((_, index) => ({ "cf-connecting-ip": `203.0.113.${index}` }));
  for (const [index, score] of scores.entries()) await vote({ receipt, score }, voters[index]);
  expect(await (await vote({ receipt, score: 1 }, voters[0])).json()).toEqual({ stored: true, reward: (1 + 0.5 + 1) / 3, votes: 3, rater });
});

test("a person who scores the same text under many ids counts once", async () => {
  const body = { text: "twice", seed: 41, candidates: 1, maxTokens: 12 };
  const [first, second, third] = [await ask(body), await ask(body), await ask(body)];
  expect([second.response, third.response]).toEqual([first.response, first.response]);
  for (const { receipt } of [first, second, third]) await vote({ receipt, score: 1 }, { "cf-connecting-ip": "203.0.113.10" });
  const reply = await vote({ receipt: first.receipt, score: 0 }, { "cf-connecting-ip": "203.0.113.11" });
  expect(await reply.json()).toEqual({ stored: true, reward: (1 + 0) / 2, votes: 2, rater });
  expect((await ask(body)).candidates[0]).toMatchObject({ reward: (1 + 0) / 2 });
});

test("the addresses of one IPv6 network are one voter, and a plain hash does not reveal an address", async () => {
  const { id, receipt } = await ask({ text: "networks", seed: 51, maxTokens: 12 });
  const votesWith = async (address: string) => {
    const reply = await vote({ receipt, score: 1 }, { "cf-connecting-ip": address });
    return ((await reply.json()) as { votes: number }).votes;
  };
  expect(await votesWith("2001:db8:1:2::1")).toBe(1);
  expect(await votesWith("2001:0DB8:1:2:ffff:eeee:dddd:cccc")).toBe(1);
  expect(await votesWith("2001:db8:1:3::1")).toBe(2);
  expect(await votesWith("203.0.113.20")).toBe(3);
  expect(await votesWith("::ffff:203.0.113.20")).toBe(3);
  expect(await votesWith("203.0.113.21")).toBe(4);
  const { DB } = await door.server.getWorker<FeedbackEnv>("tiffin-feedback").getEnv();
  const { results } = await DB.prepare("SELECT rater FROM ratings WHERE response_id = ?").bind(id).all<{ rater: string }>();
  const voters = results.map((row) => row.rater);
  expect(voters).toEqual(Array.from({ length: 4 }, () => expect.stringMatching(/^[0-9a-f]{32}$/)));
  for (const address of ["203.0.113.20", "203.0.113.21"])
    expect(voters).not.toContain((await sha256(new TextEncoder().encode(address))).slice(0, 32));
});

test("a vote that is sent 200 times counts once", async () => {
  const { receipt } = await ask({ text: "replayed", seed: 3, maxTokens: 12 });
  const replies = await Promise.all(Array.from({ length: 200 }, async () => (await vote({ receipt, score: 1 })).json()));
  for (const reply of replies) expect(reply).toEqual({ stored: true, reward: 1, votes: 1, rater });
});

test("a score out of range is refused by name", async () => {
  const { receipt } = await ask({ text: "range" });
  for (const score of [-0.01, 1.01, 2, null, "1", true]) expect((await vote({ receipt, score })).status).toBe(400);
});

test("generation ends before a stop string", async () => {
  const whole = await ask({ text: "stop", candidates: 1, maxTokens: 16 });
  const stop = [...whole.response].at(3)!;
  const cut = await ask({ text: "stop", candidates: 1, maxTokens: 16, stop: [stop] });
  expect(cut.response).toBe(whole.response.slice(0, whole.response.indexOf(stop)).trim());
});

test.each([
  ["a lone surrogate", { text: "\ud83d" }],
  ["the largest text", { text: "😀".repeat(2000) }],
  ["no randomness", { text: "a", temperature: 0 }],
  ["every candidate", { text: "a", candidates: 8, topK: 65_536, topP: 1, temperature: 2 }],
])("whole characters come back for %s", async (_, body) => {
  const { candidates } = await ask({ maxTokens: 24, ...body });
  for (const { response } of candidates) expect(response.isWellFormed()).toBe(true);
});

test.each([
  ["a negative temperature", { temperature: -1 }],
  ["an endless temperature", { temperature: 1e308 }],
  ["no candidates", { candidates: 0 }],
  ["too many candidates", { candidates: 9 }],
  ["half a candidate", { candidates: 1.5 }],
  ["an empty nucleus", { topP: 0 }],
  ["too many tokens", { maxTokens: 1e9 }],
  ["10,000 stop strings", { stop: Array.from({ length: 10_000 }, () => "a") }],
  ["an empty stop string", { stop: [""] }],
  ["an empty text", { text: "" }],
])("%s is refused with the field's name", async (_, body) => {
  const response = await door.send("POST", "/generate", { text: "a", ...body }, OPERATOR);
  expect(response.status).toBe(400);
  expect(((await response.json()) as { error: string }).error).toContain(Object.keys(body)[0]!);
});

test("each of fifty simultaneous requests is answered or told to retry; the next request is answered", async () => {
  // Each body is read at once: an unread body can be lost when the garbage collector runs. The head of a long answer comes before
  // its text, and its place in the queue is free after the text.
  const answers = Array.from({ length: 50 }, async (_, seed) => {
    const response = await door.send("POST", "/generate", { text: "busy", seed }, OPERATOR);
    await response.text();
    return response;
  });
  const all = await Promise.all(answers);
  const refused = all.filter(({ status }) => status === 429);
  for (const response of refused) expect(response.headers.get("retry-after")).toBe("1");
  // The queue holds 16 requests. Each answer that is finished while the fifty requests arrive makes room for another request.
  expect(refused.length).toBeGreaterThan(0);
  expect(all.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(16);
  expect(all.filter(({ status }) => status !== 200 && status !== 429)).toEqual([]);
  await ask({ text: "after" });
});

test.each([
  ["one address", () => "198.51.100.7", "198.51.100.8"],
  ["one IPv6 network", (index: number) => `2001:db8:7::${index.toString(16)}`, "2001:db8:8::1"],
])("%s is limited; another client and the operator are not", async (_, addressOf, another) => {
  let retryAfter: string | null = null;
  // The limit is 60 requests per minute of the clock. The loop may cross into a second minute, but not into a third.
  for (let index = 0; index < 2 * 60 + 1 && retryAfter === null; index++) {
    const answer = await vote({ receipt: "x", score: 1 }, { "cf-connecting-ip": addressOf(index) });
    if (answer.status === 429) retryAfter = answer.headers.get("retry-after");
  }
  expect(retryAfter).toBe("60");
  expect((await vote({ receipt: "x", score: 1 }, { "cf-connecting-ip": another })).status).toBe(422);
  expect((await vote({ receipt: "x", score: 1 }, { "cf-connecting-ip": addressOf(0), ...OPERATOR })).status).toBe(422);
});

test("a flood from a thousand addresses, by every door, stops at the day's budget, and the rest comes back at midnight", async () => {
  const { LEDGER } = await door.server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  const ledger = LEDGER.getByName("ledger");
  const budget = async () => (await ledger.costs()).budgets.answerTokens;
  const { limit } = await budget();
  // The tokens that are left before the flood. An answer takes at most 32 tokens, the model's context, so only a few answers fit.
  const left = 200;
  const FLOOD = 1000;
  const taken = await ledger.takeTokens({ least: 0, wanted: limit! - (await budget()).spent - left });
  const questions = [
    ["/generate", { text: "flood", maxTokens: 4, candidates: 1 }],
    ["/v1/chat/completions", { model: "tiffin", messages: [{ role: "user", content: "flood" }], max_tokens: 4 }],
    ["/api/generate", { model: "tiffin", prompt: "flood", stream: false, options: { num_predict: 4 } }],
    ["/predict", { text: "flood", candidates: ["a"] }],
  ] as const;
  const statuses: Record<string, Set<number>> = {};
  let answered = 0;
  const waits: number[] = [];
  for (let first = 0; first < FLOOD; first += 8) {
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const [path, body] = questions[index % questions.length]!;
        const address = `203.0.${Math.floor((first + index) / 200)}.${(first + index) % 200}`;
        const response = await door.send("POST", path, body, { "cf-connecting-ip": address });
        (statuses[path] ??= new Set()).add(response.status);
        if (response.status === 200) answered++;
        else waits.push(Number(response.headers.get("retry-after")));
        await response.text();
      }),
    );
  }
  expect(answered).toBeGreaterThan(0);
  for (const [path] of questions) expect(statuses[path]).toContain(429);
  for (const seen of Object.values(statuses)) expect([...seen].filter((status) => ![200, 429].includes(status))).toEqual([]);
  expect(waits.filter((seconds) => !(seconds > 0))).toEqual([]);
  const refused = await door.send("POST", "/generate", { text: "flood" }, OPERATOR);
  const midnight = Math.ceil((Date.parse((await ledger.costs()).budgets.resetsAt) - Date.now()) / 1000);
  expect(refused.status).toBe(429);
  expect(Math.abs(Number(refused.headers.get("retry-after")) - midnight)).toBeLessThanOrEqual(60);
  expect((await budget()).spent).toBeLessThanOrEqual(limit!);
  await ledger.bookAnswers({ answers: 0, tokens: 0, usage: {}, latencies: noLatencies(), d1Bytes: 0 }, taken);
  // An isolate remembers a refusal for a second.
  await expect.poll(async () => (await door.send("POST", "/generate", { text: "after" }, OPERATOR)).status, { timeout: 60_000 }).toBe(200);
});

describe("malformed bodies", () => {
  testMalformed(() => door);
});
describe("a trace", () => {
  testTrace(() => door);
});
