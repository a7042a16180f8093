/** The public door with all seven Workers behind it: who may enter, what is refused, an answer and a vote. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestHarness } from "wrangler";
import * as tf from "@tensorflow/tfjs-core";
import { presetOf } from "../../shared/config.ts";
import { encodeParts } from "../../shared/model/weights-file.ts";
import { initWeights } from "../../shared/model/weights.ts";
import { putJson, putObject } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/backend.ts";
import { configPath, WORKERS } from "../../scripts/workers.ts";

const TOKEN = "a token for tests".replaceAll(" ", "-");
const server = createTestHarness({
  workers: WORKERS.toReversed().map(({ name }) => ({
    configPath: configPath(name),
    secrets: (name === "gateway" ? { OPERATOR_TOKEN: TOKEN } : {}) as Record<string, string>,
  })),
});

function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return server.fetch(path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

const operator = { authorization: `Bearer ${TOKEN}` };

function isPrintable(byte: number): boolean {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/** A tokenizer.json of the 256 bytes alone, in GPT-2's printable letters. */
function byteTokenizer() {
  let next = 256;
  const vocab = Object.fromEntries(
    Array.from({ length: 256 }, (_, byte) => [String.fromCharCode(isPrintable(byte) ? byte : next++), byte]),
  );
  const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  return { added_tokens: special.map((content, index) => ({ id: 256 + index, content })), model: { type: "BPE", vocab, merges: [] } };
}

beforeAll(async () => {
  await server.listen();
  await server.getWorker("tiffin-feedback").applyD1Migrations("DB");
}, 60_000);
afterAll(() => server.close());

describe("gateway", () => {
  it.each([
    ["POST", "/sources"],
    ["GET", "/sources"],
    ["DELETE", "/documents?url=https://a.test/"],
    ["POST", "/crawls"],
    ["GET", "/crawls/x"],
    ["POST", "/runs"],
    ["GET", "/runs"],
    ["GET", "/runs/x"],
    ["GET", "/models"],
    ["POST", "/models/x/activate"],
  ])("keeps %s %s for the operator", async (method, path) => {
    const body = method === "POST" ? {} : undefined;
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: `Basic ${TOKEN}` }, { authorization: "Bearer " }]) {
      const response = await send(method, path, body, headers as Record<string, string>);
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Bearer");
    }
  });

  it.each(["//sources", "/Sources", "/sources/", "/sources.", "/%2e/sources", "/sources/..%2fsources", "/nowhere"])(
    "gives no way around the operator's token by %s",
    async (path) => {
      expect([401, 404]).toContain((await send("GET", `http://tiffin.test${path}`)).status);
    },
  );

  it.each([
    ["malformed JSON", "{", 400],
    ["a wrong type", { text: 1 }, 400],
    ["an empty text", { text: "" }, 400],
    ["too many candidates", { text: "a", candidates: 9 }, 400],
    ["an unknown field", { text: "a", colour: "red" }, 400],
    ["too large a body", { text: "a".repeat(70_000) }, 413],
  ])("refuses %s with a message", async (_, body, status) => {
    const response = await send("POST", "/generate", body, operator);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String) });
  });

  it("refuses another content type, an unknown answer and a score out of range", async () => {
    expect((await send("POST", "/generate", "text=a", { ...operator, "content-type": "text/plain" })).status).toBe(415);
    expect((await send("POST", "/feedback", { id: "x", score: 1 }, operator)).status).toBe(404);
    expect((await send("POST", "/feedback", { id: "x", score: 2 }, operator)).status).toBe(400);
  });

  it("names the allowed methods when another is used", async () => {
    const response = await send("GET", "/generate", undefined, operator);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });

  it("says that no model is active, then answers with the active one and rewards what people liked", async () => {
    expect((await send("POST", "/generate", { text: "a" }, operator)).status).toBe(503);
    await startBackend();
    const model = {
      ...presetOf("tiny").model,
      vocabSize: 259,
      width: 16,
      mlpWidth: 32,
      layers: 1,
      heads: 1,
      kvHeads: 1,
      headWidth: 16,
      context: 32,
    };
    const weights = initWeights(model, 5);
    const env = await server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
    const tokenizerHash = await putJson(env.ARTIFACTS, "tokenizer", byteTokenizer());
    const hash = await putJson(env.ARTIFACTS, "checkpoint", {
      format: 2,
      model,
      tokenizer: tokenizerHash,
      dataset: "0".repeat(64),
      round: 0,
      tokens: 0,
      lrScale: 1,
      weights: await Promise.all([...encodeParts(model, weights)].map((bytes) => putObject(env.ARTIFACTS, "part", bytes))),
      outer: null,
      inner: [],
    });
    tf.dispose(weights);
    await env.REGISTRY.getByName("registry").publish({ model: hash, tokenizer: tokenizerHash, run: "r", valLoss: null });

    const ask = { text: "Grüße", seed: 7, maxTokens: 8, context: { place: "gym" } };
    const first = (await (await send("POST", "/generate", ask, operator)).json()) as {
      id: string;
      model: string;
      candidates: { response: string; reward: number }[];
    };
    expect(first.model).toBe(hash);
    expect(first.candidates).toHaveLength(3);
    expect(first.candidates.map(({ reward }) => reward)).toEqual([0, 0, 0]);
    for (const score of [0.25, 0.75]) {
      expect(await (await send("POST", "/feedback", { id: first.id, score }, operator)).json()).toEqual({
        stored: true,
        reward: score,
        votes: 1,
      });
    }
    const second = (await (await send("POST", "/generate", ask, operator)).json()) as typeof first;
    expect(second.candidates[0]).toMatchObject({ response: first.candidates[0]!.response, reward: 0.75 });
    const health = await send("GET", "/health");
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ ok: true, model: hash });
  });
});
