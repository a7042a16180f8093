/**
 * Lessons over HTTP through the real Workers: a set is posted, a small published model learns the set in a run, and the new
 * model answers in conversations, with different answers for different contexts.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Client } from "../../scripts/local/client.ts";
import { untilActive } from "../../scripts/local/poll-run.ts";
import { askInSituations, describeAnswer, prepareLessons } from "../../scripts/local/teach.ts";
import { SONG_ANSWERS } from "../../scripts/lessons/songs.ts";
import { checkpointSchema, datasetSchema } from "../../shared/artifacts.ts";
import type { Explanation } from "../../shared/contracts/explain.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { getJson, getObject } from "../../shared/store.ts";
import { testClassifier } from "./classifier.ts";
import { openDoor, OPERATOR } from "./gateway/door.ts";
import { OPERATOR_TOKEN } from "./harness.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

let door: Awaited<ReturnType<typeof openDoor>>;
let model: string;
beforeAll(async () => {
  door = await openDoor();
  model = await door.publish(1, { context: 64, width: 32, mlpWidth: 64, layers: 2, headWidth: 32 });
});
afterAll(() => door.close());

const JSONL = { ...OPERATOR, "content-type": "application/jsonl" };
const post = (text: string) => door.send("POST", "/lessons", text, JSONL);

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await door.send(method, path, body, OPERATOR);
  expect(response.status, `${method} ${path}: ${await response.clone().text()}`).toBe(200);
  return (await response.json()) as T;
}

/** Posts lessons. */
const add = async (text: string) => (await (await post(text)).json()) as { id: string };

async function errorOf(method: string, path: string, body: unknown): Promise<{ status: number; error: string }> {
  const response = await door.send(method, path, body, OPERATOR);
  return { status: response.status, ...((await response.json()) as { error: string }) };
}

/** Twelve questions in two contexts each. Only the context decides whether the answer is "y" or "n". */
const LESSONS = Array.from({ length: 12 }, (_, index) => [
  { context: { at: "bbbb" }, text: `q${index}`, answer: "y" },
  { context: { at: "zzzz" }, text: `q${index}`, answer: "n" },
]).flat();
const lines = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).join("\n");

interface Status {
  state: string;
  error: string | null;
  checkpoint: string;
  valLoss: number;
  firstLoss: number;
  losses: { loss: number }[];
  rollbacks: unknown[];
}

async function runToEnd(request: Record<string, unknown>): Promise<Status> {
  const { run } = await call<{ run: string }>("POST", "/runs", request);
  for (;;) {
    const status = await call<Status>("GET", `/runs/${run}`);
    if (status.state === "failed") throw new Error(status.error ?? "failed");
    // The run is done; the model is published soon after.
    const isPublished = (await call<{ model: string }[]>("GET", "/models")).some(({ model: hash }) => hash === status.checkpoint);
    if (status.state === "done" && isPublished) return status;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** All weights of a published model. */
async function weightsOf(hash: string): Promise<number[]> {
  const { ARTIFACTS } = await door.server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  const { weights } = await getJson(ARTIFACTS, "checkpoint", hash, checkpointSchema);
  const parts = await Promise.all(weights.map((part) => getObject(ARTIFACTS, "part", part)));
  return parts.flatMap((bytes) => decodeSafetensors(new Uint8Array(bytes))).flatMap(({ data }) => Array.from(data));
}

const ADAMW = { name: "adamw", lr: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0 };

describe("lessons", () => {
  test("are kept under the hash of their content, listed, shown and deleted", async () => {
    const added = (await (await post(`${lines(LESSONS)}\nno\n`)).json()) as { id: string };
    expect(added).toMatchObject({
      conversations: 24,
      refusedLines: 1,
      refused: [{ line: 25, reason: expect.stringContaining("JSON") as string }],
    });
    const again = (await (await post(lines(LESSONS))).json()) as { id: string };
    expect(again.id).toBe(added.id);
    expect(await call<{ id: string }[]>("GET", "/lessons")).toEqual([expect.objectContaining({ id: added.id })]);
    const shown = await call<{ examples: unknown[] }>("GET", `/lessons/${added.id}`);
    expect(shown).toMatchObject({ id: added.id, conversations: 24 });
    expect(shown.examples[0]).toEqual([
      { role: "system", content: "at: bbbb" },
      { role: "user", content: "q0" },
      { role: "assistant", content: "y" },
    ]);
    expect(await call("DELETE", `/lessons/${added.id}`)).toEqual({ deleted: added.id });
    for (const [method, path] of [
      ["GET", `/lessons/${added.id}`],
      ["DELETE", `/lessons/${added.id}`],
      ["GET", "/lessons/x"],
    ] as const)
      expect((await door.send(method, path, undefined, OPERATOR)).status).toBe(404);
    expect(await call("GET", "/lessons")).toEqual([]);
  });

  test("that do not make a set are refused with the reason", async () => {
    const refusals = [
      await post("no\n{}"),
      await post(""),
      await post(lines([LESSONS[0], LESSONS[0]])),
      await door.send("POST", "/lessons", { text: "a", answer: "b" }, OPERATOR),
      await post("x".repeat(8 * 1024 * 1024 + 1)),
      await door.send("POST", "/lessons", lines(LESSONS), { "content-type": "application/jsonl" }),
    ];
    expect(refusals.map(({ status }) => status)).toEqual([422, 422, 422, 415, 413, 401]);
    expect(((await refusals[0]!.json()) as { error: string }).error).toMatch(/line 1: expected JSON.*line 2: expected messages/);
  });
});

/**
 * Checks /explain: its probabilities agree with those of /predict, its attention weights sum to 1, and it refuses invalid
 * requests.
 */
async function expectExplained(asked: { text: string; context: object; answer: string }, raw: number): Promise<void> {
  const { tokens, read, attention, layers, next } = await call<Explanation>("POST", "/explain", { ...asked, alternatives: 2 });
  expect(tokens[0]!.probability).toBeNull();
  expect(tokens.map(({ text }) => text).join("")).toBe(read);
  expect(tokens.at(-1)!.end).toBe(new TextEncoder().encode(read).length);
  expect(tokens.every(({ start }, index) => start === (tokens[index - 1]?.end ?? 0))).toBe(true);
  // The rendered conversation ends with the answer, the end of the message, and a line break.
  const [answered, end] = tokens.slice(-3);
  expect([answered!.text, end!.text, end!.isControl]).toEqual([asked.answer, "<|im_end|>", true]);
  const [spoken, ended] = [answered!.probability!, end!.probability!];
  // `raw` also counts the other tokens that can end the answer, so it is at least this product.
  expect(raw).toBeGreaterThan(spoken * ended - 1e-5);
  expect(raw).toBeLessThan(spoken + 1e-5);
  expect(answered!.alternatives[0]).toEqual({ id: answered!.id, text: asked.answer, probability: spoken });

  expect(attention.map(({ position }) => position)).toEqual([tokens.length - 1]);
  for (const head of attention[0]!.weights.flat()) {
    expect(head).toHaveLength(tokens.length);
    expect(head.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 2);
  }
  // The two predictions were computed together with different other rows, so their rounding errors differ.
  expect(layers.at(-1)).toEqual(next.map(({ id, text, probability }) => ({ id, text, probability: expect.closeTo(probability, 6) })));
  const all = await call<Explanation>("POST", "/explain", { text: "q1", form: "text", position: "all" });
  expect(all.attention.map(({ weights }) => weights[0]![0]!.length)).toEqual(all.tokens.map((_, index) => index + 1));
  for (const [request, status, error] of [
    [{ text: "q1", position: 9999 }, 422, "position: expected at most"],
    [{ text: "q".repeat(300) }, 422, "text: expected 1..64 tokens, with context and answer, got 3"],
    [{ text: "q1", form: "text", answer: "y" }, 422, 'answer: expected none with form "text"'],
  ] as const) {
    const refused = await errorOf("POST", "/explain", request);
    expect([refused.status, refused.error]).toEqual([status, expect.stringContaining(error)]);
  }
}

describe("a run", () => {
  test("that names nothing to learn is refused with the field's name", async () => {
    const { id: lessons } = (await (await post(lines(LESSONS))).json()) as { id: string };
    const none = "0".repeat(64);
    for (const [request, status, field] of [
      [{ objective: "sft" }, 422, "lessons"],
      [{ objective: "sft", lessons }, 422, "from"],
      [{ lessons, from: model }, 422, "lessons"],
      [{ objective: "sft", lessons, from: model, dataset: none }, 422, "lessons"],
      [{ objective: "sft", lessons, from: model, vocabSize: 300 }, 422, "vocabSize"],
      [{ lrScale: 0.5 }, 422, "lrScale"],
      [{ objective: "sft", lessons: none, from: model }, 404, "lessons"],
      [{ objective: "sft", lessons, from: none }, 404, "from"],
      [{ objective: "sft", lessons, from: model, replay: 1 }, 400, "replay"],
      [{ objective: "sft", lessons, from: model, network: {} }, 422, "network"],
      [{ objective: "sft", lessons, from: model, preset: "classifier" }, 422, "preset"],
      [{ objective: "classify" }, 422, "lessons"],
      [{ objective: "classify", lessons, preset: "tiny" }, 422, "preset"],
      [{ objective: "classify", lessons, vocabSize: 300 }, 422, "vocabSize"],
      [{ objective: "classify", lessons, from: model }, 422, "from"],
      [{ objective: "classify", lessons, network: { features: 1000 } }, 400, "network.features"],
      [{ objective: "classify", lessons, network: { features: 4096, hidden: [1024] } }, 422, "network.hidden"],
      [{ objective: "classify", lessons, network: { layers: 2 } }, 400, "network"],
    ] as const) {
      const refused = await errorOf("POST", "/runs", request);
      expect({ request, status: refused.status, field: refused.error.split(/:| /)[0] }).toEqual({ request, status, field });
    }
  });

  test("teaches a published model to answer by context, with exact probabilities", async () => {
    const { id: lessons } = (await (await post(lines(LESSONS))).json()) as { id: string };
    const request = {
      objective: "sft",
      preset: "tiny",
      from: model,
      lessons,
      tokens: 120 * 8 * 64,
      optimizer: ADAMW,
      lrScale: 1,
      clipNorm: 0,
    };
    const before = await call<{ answers: { text: string; raw: number }[] }>("POST", "/predict", { text: "q0", candidates: ["y", "n"] });
    const status = await runToEnd({ ...request, name: "taught" });
    expect(status.losses.at(-1)!.loss).toBeLessThan(0.5 * status.firstLoss);

    await vi.waitFor(async () => expect(await call("GET", "/health")).toMatchObject({ model: status.checkpoint }), {
      timeout: PATIENCE_MS,
    });
    const env = await door.server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
    const checkpoint = await getJson(env.ARTIFACTS, "checkpoint", status.checkpoint, checkpointSchema);
    // The tokenizer of this model has the former layout, so the token that ends a message has the last id.
    expect(checkpoint.endTokens).toEqual([258, 256]);
    expect(await getJson(env.ARTIFACTS, "dataset", checkpoint.dataset!, datasetSchema)).toMatchObject({
      kind: "sft",
      lessons,
      context: 64,
    });

    for (const [at, answer] of [
      ["bbbb", "y"],
      ["zzzz", "n"],
    ] as const) {
      const asked = { text: "q1", context: { at } };
      expect(await call("POST", "/generate", { ...asked, temperature: 0, candidates: 1, maxTokens: 4 })).toMatchObject({
        response: answer,
      });
      const { answers } = await call<{ answers: { text: string; probability: number; raw: number }[] }>("POST", "/predict", {
        ...asked,
        candidates: ["n", "y"],
      });
      expect(answers[0]!.text).toBe(answer);
      expect(answers[0]!.raw).toBeGreaterThan(0.5);
      expect(answers[0]!.probability + answers[1]!.probability).toBeCloseTo(1, 9);
      expect(answers[0]!.probability).toBeCloseTo(answers[0]!.raw / (answers[0]!.raw + answers[1]!.raw), 9);
      const found = await call<{ answers: { text: string; raw: number }[] }>("POST", "/predict", asked);
      expect(found.answers[0]!.text).toBe(answer);
      // The search finds the same answer, with the same probability.
      expect(found.answers[0]!.raw).toBeCloseTo(answers[0]!.raw, 5);
      expect(found.answers.reduce((sum, { raw }) => sum + raw, 0)).toBeLessThanOrEqual(1);
      await expectExplained({ ...asked, answer }, answers[0]!.raw);
    }
    expect(before.answers.every(({ raw }) => raw < 0.1)).toBe(true);
    // A context with keys and values that the model has never seen.
    await call("POST", "/generate", { text: "q1", context: { time: "??", "a\nb": "c\nd", on: true, size: 1e300 } });
  });

  test("ends in the same weights on one, two and four shards, and in the same bits when repeated", async () => {
    const { id: lessons } = (await (await post(lines(LESSONS))).json()) as { id: string };
    const request = { objective: "sft", preset: "tiny", from: model, lessons, tokens: 6 * 8 * 64, optimizer: ADAMW, clipNorm: 0 };
    const ends: Status[] = [];
    for (const [name, shards] of [
      ["one", 1],
      ["two", 2],
      ["four", 4],
      ["again", 2],
    ] as const)
      ends.push(await runToEnd({ ...request, name, shards }));
    const [one, two, four, again] = ends as [Status, Status, Status, Status];
    expect(again.checkpoint).toBe(two.checkpoint);
    const expected = await weightsOf(one.checkpoint);
    for (const { checkpoint } of [two, four]) {
      const actual = await weightsOf(checkpoint);
      const difference = Math.max(...actual.map((value, index) => Math.abs(value - expected[index]!)));
      // Adam's first steps enlarge rounding errors, but only to a small share of lr = 1e-2 / 2.
      expect(difference).toBeLessThan(2e-4);
    }
  });

  test("of Tiffin's own lessons starts as in npm start, and its model answers the questions in each situation", async () => {
    const client = new Client(door.url.origin, OPERATOR_TOKEN);
    const { count, request } = await prepareLessons(client, { model, tokens: 1, preset: "tiny" });
    expect(count).toBe(200);
    const { checkpoint } = await runToEnd(request);
    await untilActive(client, checkpoint, request, 100);
    const answers = await askInSituations(client);
    expect(answers.map(({ context }) => context["time"])).toEqual([6, 22, 8, 22]);
    for (const answer of answers) {
      expect(answer.predictions.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
      expect(answer.predictions.reduce((sum, { raw }) => sum + raw, 0)).toBeLessThanOrEqual(1);
      expect(describeAnswer(answer)).toContain(`> ${answer.text} (time ${answer.context["time"]}`);
    }
    expect(answers[0]!.predictions.map(({ text }) => text).toSorted()).toEqual(SONG_ANSWERS.toSorted());
  });
});

describe("a classifier", () => {
  testClassifier({
    call,
    errorOf,
    runToEnd,
    weightsOf,
    language: () => model,
    ask: (body) => door.send("POST", "/classify", body),
    add,
    conversations: lines(LESSONS),
  });
});
