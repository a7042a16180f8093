/** Streamed answers of the gateway: their events, a client that leaves, a model that is replaced, a database that is down. */
import { EventSourceParserStream } from "eventsource-parser/stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDoor, OPERATOR } from "./door.ts";

/** The context is so long that no generation fills it within its turn. So a stream lasts for seconds, even on a fast machine. */
const LONG = { context: 8192, width: 64, mlpWidth: 128, layers: 2, heads: 2, kvHeads: 2, headWidth: 32 };
/** Always the most probable token. With this seed, the model never ends its text itself. */
const ENDLESS = { temperature: 0, maxTokens: 8000 };
/** The generator asks for the active model at most once per second. */
const RECHECK_MS = 1100;
const TERMINAL: ReadonlySet<string> = new Set(["done", "error"]);

interface Event {
  event: string;
  data: Record<string, unknown>;
}

let door: Awaited<ReturnType<typeof openDoor>>;
let model = "";
beforeAll(async () => {
  door = await openDoor();
  model = await door.publish(5, LONG);
}, 300_000);
afterAll(() => door.close());

async function open(body: object, signal?: AbortSignal): Promise<AsyncIterable<Event>> {
  const response = await fetch(new URL("/generate", door.url), {
    method: "POST",
    headers: { ...OPERATOR, "content-type": "application/json" },
    body: JSON.stringify({ seed: 7, stream: true, ...body }),
    ...(signal === undefined ? {} : { signal }),
  });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  const messages = response.body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  return (async function* events() {
    for await (const { event = "", data } of messages) yield { event, data: JSON.parse(data) as Event["data"] };
  })();
}
async function all(stream: AsyncIterable<Event>): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  return events;
}
const textOf = (events: Event[]) => events.map(({ data }) => data["delta"] ?? "").join("");
const ask = (body: object) => door.send("POST", "/generate", { seed: 7, ...body }, OPERATOR);

test("a streamed answer has the text of the whole answer and one terminal event, and can be scored", async () => {
  const whole = (await (await ask({ text: "Grüße 😀", candidates: 1, maxTokens: 32 })).json()) as { response: string; usage: object };
  const events = await all(await open({ text: "Grüße 😀", maxTokens: 32 }));
  expect(events[0]).toEqual({ event: "start", data: { id: expect.any(String), model } });
  expect(textOf(events)).toBe(whole.response);
  for (const { data } of events) expect(String(data["delta"] ?? "").isWellFormed()).toBe(true);
  expect(events.filter(({ event }) => TERMINAL.has(event))).toEqual([events.at(-1)]);
  expect(events.at(-1)).toEqual({
    event: "done",
    data: {
      finishReason: expect.stringMatching(/^(stop|length)$/),
      usage: whole.usage,
      canBeScored: true,
      receipt: expect.any(String),
      isSuperseded: false,
    },
  });
  const vote = await door.send("POST", "/feedback", { receipt: events.at(-1)!.data["receipt"], score: 1 }, OPERATOR);
  expect(await vote.json()).toMatchObject({ stored: true, votes: 1 });
});

test("a streamed answer with several candidates is refused with the field's name", async () => {
  const response = await ask({ text: "a", stream: true, candidates: 3 });
  expect([response.status, await response.json()]).toEqual([400, { error: expect.stringContaining("candidates") }]);
});

/** Numbers of tokens of the streams that clients have left, from the generator's log. */
const abandoned = () =>
  door.server
    .getLogs()
    .map(({ message }) => /its reader left after (\d+) tokens/.exec(message)?.[1])
    .filter((tokens) => tokens !== undefined)
    .map(Number);
/** The hash of the model that answers now. */
const answering = async () => ((await (await ask({ text: "which", maxTokens: 1, candidates: 1 })).json()) as { model: string }).model;

test("when the client leaves, the generation ends", async () => {
  const client = new AbortController();
  const stream = await open({ text: "leave", ...ENDLESS }, client.signal);
  let pieces = 0;
  await expect(
    (async () => {
      for await (const { event } of stream) if (event === "text" && ++pieces === 3) client.abort();
    })(),
  ).rejects.toThrow(/abort/i);
  await expect.poll(() => abandoned().length, { timeout: 30_000 }).toBe(1);
  expect(abandoned()[0]).toBeLessThan(ENDLESS.maxTokens / 4);
});

test.each(["/generate", "/v1/completions"])("when the client of a whole answer leaves, the generation ends: %s", async (path) => {
  const before = abandoned().length;
  const body =
    path === "/generate"
      ? { text: "leave", candidates: 1, ...ENDLESS }
      : { model: "tiffin", prompt: "leave", max_tokens: 8000, temperature: 0 };
  const headers = { ...OPERATOR, "content-type": "application/json" };
  const client = new AbortController();
  const { signal } = client;
  // The head of the answer comes after a second, before its text.
  const answer = await fetch(new URL(path, door.url), { method: "POST", headers, body: JSON.stringify({ seed: 7, ...body }), signal });
  client.abort();
  await expect(answer.text()).rejects.toThrow(/abort/i);
  await expect.poll(() => abandoned().length, { timeout: 30_000 }).toBe(before + 1);
});

test("other requests are answered and votes are stored while a stream runs", async () => {
  const client = new AbortController();
  const order: string[] = [];
  await expect(
    (async () => {
      for await (const { event } of await open({ text: "long", ...ENDLESS }, client.signal)) {
        order.push(event);
        if (event !== "text" || order.includes("vote")) continue;
        const during = (await (await ask({ text: "during", maxTokens: 2 })).json()) as { receipt: string };
        const vote = await door.send("POST", "/feedback", { receipt: during.receipt, score: 1 }, OPERATOR);
        order.push("vote");
        expect(vote.status).toBe(200);
        client.abort();
      }
    })(),
  ).rejects.toThrow(/abort/i);
  expect(order.slice(0, 3)).toEqual(["start", "text", "vote"]);
  await expect.poll(() => abandoned().length, { timeout: 30_000 }).toBe(4);
});

test("without a database a stream ends normally and states that it cannot be scored", async () => {
  const { DB } = await door.server.getWorker<FeedbackEnv>("tiffin-feedback").getEnv();
  await DB.exec("ALTER TABLE responses RENAME TO responses_away");
  const events = await all(await open({ text: "unkept", maxTokens: 4 }));
  await DB.exec("ALTER TABLE responses_away RENAME TO responses");
  expect(events.at(-1)).toMatchObject({ event: "done", data: { canBeScored: false, receipt: null } });
});

test("text is converted to ids and ids to text", async () => {
  const text = "Grüße 😀\ufeff";
  const tokens = (await (await door.send("POST", "/tokenize", { text }, OPERATOR)).json()) as { tokens: number[] };
  expect(tokens).toEqual({ model, tokens: [...new TextEncoder().encode(text)] });
  const back = await door.send("POST", "/detokenize", { tokens: tokens.tokens }, OPERATOR);
  expect(await back.json()).toEqual({ model, text });
  const refused = await door.send("POST", "/detokenize", { tokens: [65_535] }, OPERATOR);
  expect([refused.status, await refused.json()]).toEqual([422, { error: expect.stringContaining("tokens: expected ids below 259") }]);
});

test("pages of other origins may use only the open routes", async () => {
  const preflight = (path: string, headers: string) =>
    door.send("OPTIONS", path, undefined, {
      origin: "https://example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": headers,
    });
  for (const path of ["/generate", "/feedback", "/tokenize", "/v1/chat/completions", "/api/chat"]) {
    const response = await preflight(path, "authorization,content-type,x-stainless-lang");
    expect([path, response.status, response.headers.get("access-control-allow-origin")]).toEqual([path, 204, "*"]);
    expect(response.headers.get("access-control-allow-headers")).toContain("x-stainless-lang");
  }
  for (const path of ["/runs", "/sources", "/models"])
    expect((await preflight(path, "authorization")).headers.get("access-control-allow-origin")).toBe(null);
  const answer = await door.send(
    "POST",
    "/v1/completions",
    { model: "gpt-4o", prompt: "a" },
    { ...OPERATOR, origin: "https://example.com" },
  );
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([404, "*"]);
});

// This test is the last, because it replaces the model.
test("a stream ends with the weights with which it began, and reports that they were replaced", async () => {
  const next = await door.publish(6, LONG);
  const activate = async (hash: string) => (await door.send("POST", `/models/${hash}/activate`, undefined, OPERATOR)).status;
  // No request came since the publication, so the generator still holds the first model.
  expect(await activate(model)).toBe(200);
  const events: Event[] = [];
  let current = "";
  for await (const event of await open({ text: "swap", ...ENDLESS })) {
    events.push(event);
    if (event.event !== "text" || current === next) continue;
    expect(await activate(next)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, RECHECK_MS));
    current = await answering();
  }
  expect([events[0]!.data["model"], current]).toEqual([model, next]);
  expect(events.at(-1)).toMatchObject({ event: "done", data: { isSuperseded: true, canBeScored: true } });
  expect(await answering()).toBe(next);
  // The whole text came from the first weights: the first model, active again, gives the same text.
  expect(await activate(model)).toBe(200);
  await expect.poll(answering, { timeout: 30_000, interval: RECHECK_MS }).toBe(model);
  const again = await all(await open({ text: "swap", ...ENDLESS, maxTokens: 200 }));
  expect(textOf(again).length).toBeGreaterThan(0);
  expect(textOf(events).startsWith(textOf(again))).toBe(true);
});
