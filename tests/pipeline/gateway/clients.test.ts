/** Unmodified clients of other protocols against the running gateway on loopback, and the keys of clients. */
import * as tf from "@tensorflow/tfjs-core";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, streamText } from "ai";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { Ollama } from "ollama";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { presetOf } from "../../../shared/config.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { OPERATOR_TOKEN } from "../harness.ts";
import { plainEmbedding } from "../../unit/model/plain-model.ts";
import { openDoor, OPERATOR, SMALLEST } from "./door.ts";
import { testKeys } from "./keys.ts";
import { testLangchain } from "./langchain.ts";

const CONTEXT = 256;
const SEED = 5;
const SHAPE = { ...presetOf("tiny").model, ...SMALLEST, context: CONTEXT };
const PERSON = z.object({ name: z.string().max(10), age: z.int().min(0).max(150), tags: z.array(z.enum(["a", "b"])).max(4) });

let door: Awaited<ReturnType<typeof openDoor>>;
let model = "";
let openai: OpenAI;
let ollama: Ollama;
beforeAll(async () => {
  door = await openDoor();
  model = await door.publish(SEED, { context: CONTEXT });
  openai = new OpenAI({ baseURL: new URL("/v1", door.url).href, apiKey: OPERATOR_TOKEN, maxRetries: 0 });
  ollama = new Ollama({ host: door.url.origin, headers: OPERATOR });
}, 300_000);
afterAll(() => door.close());

/** The answer in Tiffin's own protocol. Every other door must give the same answer. */
async function native(body: object): Promise<{ response: string; usage: { promptTokens: number; completionTokens: number } }> {
  const response = await door.send("POST", "/generate", { candidates: 1, seed: 7, maxTokens: 24, ...body }, OPERATOR);
  expect(response.status).toBe(200);
  return (await response.json()) as Awaited<ReturnType<typeof native>>;
}

const CHAT = { model: "tiffin", seed: 7, max_tokens: 24, messages: [{ role: "user" as const, content: "Grüße 😀" }] };

describe("openai", () => {
  test("lists and retrieves the active model", async () => {
    const { data } = await openai.models.list();
    expect(data.map(({ id, object }) => [id, object])).toEqual([["tiffin", "model"]]);
    expect((await openai.models.retrieve(model)).id).toBe("tiffin");
    await expect(openai.models.retrieve("gpt-4o")).rejects.toMatchObject({ status: 404, code: "model_not_found", param: "model" });
  });

  test("chats with the text of POST /generate, whole and streamed, with the same usage", async () => {
    const expected = await native({ text: "Grüße 😀" });
    const whole = await openai.chat.completions.create(CHAT);
    expect(whole.choices[0]!.message).toMatchObject({ role: "assistant", content: expected.response });
    expect(whole).toMatchObject({ object: "chat.completion", model: "tiffin", system_fingerprint: model });
    const { promptTokens, completionTokens } = expected.usage;
    expect(whole.usage).toMatchObject({ prompt_tokens: promptTokens, completion_tokens: completionTokens });
    expect(whole.usage?.total_tokens).toBe(promptTokens + completionTokens);

    const stream = await openai.chat.completions.create({ ...CHAT, stream: true, stream_options: { include_usage: true } });
    let text = "";
    const roles: unknown[] = [];
    const reasons: unknown[] = [];
    let usage: unknown = null;
    for await (const chunk of stream) {
      expect(chunk.object).toBe("chat.completion.chunk");
      const [choice] = chunk.choices;
      if (choice?.delta.role !== undefined) roles.push(choice.delta.role);
      if (choice?.finish_reason) reasons.push(choice.finish_reason);
      expect((choice?.delta.content ?? "").isWellFormed()).toBe(true);
      text += choice?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    expect([text, roles, reasons, usage]).toEqual([expected.response, ["assistant"], [whole.choices[0]!.finish_reason], whole.usage]);
  });

  test("reads content parts, and system and developer messages before the question", async () => {
    const expected = await native({ text: "b", context: { a: "1" } });
    const parts = [
      { type: "text" as const, text: "a: " },
      { type: "text" as const, text: "1" },
    ];
    for (const role of ["system", "developer"] as const) {
      const messages = [
        { role, content: parts },
        { role: "user" as const, content: "b" },
      ];
      const { choices } = await openai.chat.completions.create({ ...CHAT, messages });
      expect(choices[0]!.message.content).toBe(expected.response);
    }
  });

  test("gives several choices, each equal to the only choice with its seed", async () => {
    const { choices } = await openai.chat.completions.create({ ...CHAT, n: 3 });
    const alone = await openai.chat.completions.create({ ...CHAT, seed: CHAT.seed + 2 });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(choices[2]!.message.content).toBe(alone.choices[0]!.message.content);
    const texts = ["", "", ""];
    for await (const { choices: deltas } of await openai.chat.completions.create({ ...CHAT, n: 3, stream: true }))
      for (const { index, delta } of deltas) texts[index] += delta.content ?? "";
    expect(texts).toEqual(choices.map(({ message }) => message.content));
  });

  test("completes a text and a list of token ids alike", async () => {
    const request = { model, seed: 7, max_tokens: 24 };
    const whole = await openai.completions.create({ ...request, prompt: "Hello" });
    expect(whole).toMatchObject({ object: "text_completion", usage: { prompt_tokens: 5 } });
    const tokens = await openai.completions.create({ ...request, prompt: [...new TextEncoder().encode("Hello")] });
    expect(tokens.choices[0]!.text).toBe(whole.choices[0]!.text);
    let text = "";
    for await (const chunk of await openai.completions.create({ ...request, prompt: "Hello", stream: true }))
      text += chunk.choices[0]!.text;
    expect(text).toBe(whole.choices[0]!.text);
  });

  test("ends before a stop string that crosses token borders, whole and streamed", async () => {
    const request = { model, seed: 7, max_tokens: 48, prompt: "Hello" };
    const whole = (await openai.completions.create(request)).choices[0]!.text;
    const stop = [...whole].slice(4, 7).join("");
    const cut = await openai.completions.create({ ...request, stop });
    expect(cut.choices[0]).toMatchObject({ text: whole.slice(0, whole.indexOf(stop)), finish_reason: "stop" });
    let text = "";
    for await (const chunk of await openai.completions.create({ ...request, stop: [stop], stream: true })) text += chunk.choices[0]!.text;
    expect(text).toBe(cut.choices[0]!.text);
  });

  test("reports the probability of each token and its alternatives, whole and streamed", async () => {
    const request = { ...CHAT, temperature: 0, max_tokens: 12, logprobs: true, top_logprobs: 3 };
    const [whole] = (await openai.chat.completions.create(request)).choices;
    const tokens = whole!.logprobs!.content!;
    expect(tokens.length).toBeGreaterThan(0);
    for (const { logprob, bytes, top_logprobs } of tokens) {
      // At temperature 0 the most probable token is sampled.
      expect(top_logprobs.map((other) => other.logprob)[0]).toBe(logprob);
      expect([top_logprobs.length, bytes?.length]).toEqual([3, 1]);
      expect(top_logprobs.reduce((sum, other) => sum + Math.exp(other.logprob), 0)).toBeLessThanOrEqual(1);
    }
    const text = new TextDecoder().decode(Uint8Array.from(tokens.flatMap(({ bytes }) => bytes ?? [])), { stream: true });
    expect(text.trim()).toBe(whole!.message.content);
    const streamed: typeof tokens = [];
    for await (const { choices } of await openai.chat.completions.create({ ...request, stream: true }))
      streamed.push(...(choices[0]?.logprobs?.content ?? []));
    expect(streamed).toEqual(tokens);
    const completion = { model, prompt: "Hello", max_tokens: 12, temperature: 0 };
    const { logprobs } = (await openai.completions.create({ ...completion, logprobs: 2 })).choices[0]!;
    expect([logprobs?.tokens?.length, logprobs?.text_offset?.[0]]).toEqual([logprobs?.token_logprobs?.length, 0]);
    expect((await openai.completions.create(completion)).choices[0]!.logprobs).toBe(null);
  });

  test("repeats the prompt with its probabilities, whole and streamed", async () => {
    const request = { model, prompt: "Hello", max_tokens: 4, seed: 7 };
    const plain = (await openai.completions.create(request)).choices[0]!.text;
    const [echoed] = (await openai.completions.create({ ...request, echo: true, logprobs: 2, n: 2 })).choices;
    expect(echoed!.text).toBe(`Hello${plain}`);
    const { token_logprobs, tokens, top_logprobs } = echoed!.logprobs!;
    expect([token_logprobs![0], top_logprobs![0], tokens!.slice(0, 5).join("")]).toEqual([null, null, "Hello"]);
    // A token that follows a prompt has the probability that it has inside of a prompt.
    const longer = await openai.completions.create({ ...request, prompt: "Hell", max_tokens: 1, logprobs: 0, logit_bias: { 111: 100 } });
    expect(longer.choices[0]!.text).toBe("o");
    expect(token_logprobs![4]).toBeCloseTo(longer.choices[0]!.logprobs!.token_logprobs![0]!, 4);
    const onlyRead = await openai.completions.create({ ...request, echo: true, logprobs: 0, max_tokens: 0 });
    expect(onlyRead.choices[0]).toMatchObject({ text: "Hello", finish_reason: "length" });
    expect(onlyRead.choices[0]!.logprobs!.token_logprobs).toEqual(token_logprobs!.slice(0, 5));
    const texts = ["", ""];
    for await (const { choices } of await openai.completions.create({ ...request, echo: true, n: 2, stream: true }))
      for (const { index, text } of choices) texts[index] += text;
    expect(texts[0]).toBe(echoed!.text);
    expect(texts[1]).toMatch(/^Hello/);
  });

  test("shows the most probable of several texts", async () => {
    const request = { model, prompt: "Hello", max_tokens: 6, seed: 7, logprobs: 0 };
    const all = (await openai.completions.create({ ...request, n: 5 })).choices;
    const mean = ({ logprobs }: (typeof all)[number]) => {
      const numbers = logprobs!.token_logprobs!;
      return numbers.reduce((sum, value) => sum + value, 0) / Math.max(1, numbers.length);
    };
    const sorted = all.toSorted((a, b) => mean(b) - mean(a)).map(({ text }) => text);
    const best = await openai.completions.create({ ...request, n: 2, best_of: 5 });
    expect(best.choices.map(({ index, text }) => [index, text])).toEqual([0, 1].map((index) => [index, sorted[index]]));
    const refusal = (body: object) => openai.completions.create({ ...request, ...body });
    await expect(refusal({ n: 3, best_of: 2 })).rejects.toMatchObject({ status: 400, param: "best_of" });
    await expect(refusal({ best_of: 2, stream: true })).rejects.toMatchObject({ status: 400, param: "best_of" });
  });

  test("honours biases and penalties", async () => {
    const request = { model, prompt: "Hello", max_tokens: 20, seed: 7 };
    const [forced] = (await openai.completions.create({ ...request, logit_bias: { 65: 100 } })).choices;
    expect(forced!.text).toBe("A".repeat(20));
    const biased = { ...request, logit_bias: { 65: 100, 66: 90 } };
    expect((await openai.completions.create({ ...biased, frequency_penalty: 0 })).choices[0]!.text).toBe("A".repeat(20));
    // Each A costs two, so after about five of them B is as probable as A.
    expect((await openai.completions.create({ ...biased, frequency_penalty: 2 })).choices[0]!.text).toMatch(/^A{3,8}[AB]*B[AB]*$/);
    await expect(openai.completions.create({ ...request, logit_bias: { 65: 101 } })).rejects.toMatchObject({ status: 400 });
  });

  test("gets JSON of a schema from a model that knows nothing, whole and streamed", async () => {
    const request = { ...CHAT, max_tokens: 120, response_format: zodResponseFormat(PERSON, "person") };
    for (let seed = 1; seed <= 3; seed++) {
      const { choices } = await openai.chat.completions.parse({ ...request, seed });
      expect([choices[0]!.finish_reason, PERSON.safeParse(choices[0]!.message.parsed).success]).toEqual(["stop", true]);
    }
    let text = "";
    for await (const { choices } of await openai.chat.completions.create({ ...request, stream: true }))
      text += choices[0]!.delta.content ?? "";
    expect(PERSON.safeParse(JSON.parse(text)).success).toBe(true);
    const object = await openai.chat.completions.create({ ...CHAT, response_format: { type: "json_object" } });
    expect(JSON.parse(object.choices[0]!.message.content!)).toBeTypeOf("object");
    const refused = { type: "json_schema" as const, json_schema: { name: "a", schema: { type: "array", uniqueItems: true } } };
    const refusal = openai.chat.completions.create({ ...CHAT, response_format: refused });
    await expect(refusal).rejects.toMatchObject({
      status: 422,
      param: "schema.uniqueItems",
      message: expect.stringContaining("not supported"),
    });
    const fitting = { ...CHAT, structured_outputs: { regex: "[a-f]{3}-\\d{3}" } };
    expect((await openai.chat.completions.create(fitting)).choices[0]!.message.content).toMatch(/^[a-f]{3}-\d{3}$/);
  });

  test("gets the vectors of texts and token ids, as numbers and as base64", async () => {
    const texts = ["Hello", "Grüße 😀"];
    const ids = texts.map((text) => [...new TextEncoder().encode(text)]);
    const weights = initWeights(SHAPE, SEED);
    const numbers = Object.fromEntries(Object.entries(weights).map(([name, tensor]) => [name, tensor.dataSync<"float32">()]));
    const expected = ids.map((each) => plainEmbedding(numbers, SHAPE, each));
    // Without a format, the client asks for base64 and decodes it.
    for (const input of [texts, ids]) {
      for (const format of [{}, { encoding_format: "float" as const }]) {
        const { data, usage } = await openai.embeddings.create({ model: "tiffin", input, ...format });
        expect([data.map(({ index }) => index), usage.total_tokens]).toEqual([[0, 1], ids.flat().length]);
        for (const [index, { embedding }] of data.entries())
          for (const [at, value] of embedding.entries()) expect(value).toBeCloseTo(expected[index]![at]!, 5);
      }
    }
    const [alone] = (await openai.embeddings.create({ model, input: "Hello", dimensions: SHAPE.width })).data;
    expect(alone!.embedding).toHaveLength(SHAPE.width);
    const refusal = (input: string | string[], dimensions?: number) =>
      openai.embeddings.create({ model: "tiffin", input, ...(dimensions === undefined ? {} : { dimensions }) });
    await expect(refusal("")).rejects.toMatchObject({ status: 400, param: "input" });
    await expect(refusal(["a", ""])).rejects.toMatchObject({ status: 400, param: "input.1" });
    await expect(refusal("a".repeat(CONTEXT + 1))).rejects.toMatchObject({ status: 422, param: "input.0" });
    await expect(refusal(Array.from({ length: 257 }, () => "a"))).rejects.toMatchObject({ status: 400, param: "input" });
    await expect(refusal("a", 3)).rejects.toMatchObject({ status: 400, param: "dimensions" });
    tf.dispose(weights);
  });

  test("gets errors with the field's name in OpenAI's form", async () => {
    const refusal = async (body: object) =>
      openai.chat.completions.create({ ...CHAT, ...body }).then(
        () => null,
        (error: InstanceType<typeof OpenAI.APIError>) => error,
      );
    expect(await refusal({ temperature: 3 })).toMatchObject({ status: 400, type: "invalid_request_error", param: "temperature" });
    expect(await refusal({ tools: [{ type: "function" }] })).toMatchObject({ status: 400, param: "tools" });
    expect(await refusal({ model: "gpt-4o" })).toMatchObject({ status: 404, code: "model_not_found" });
    expect(await refusal({ messages: [{ role: "user", content: [{ type: "image_url" }] }] })).toMatchObject({ status: 400 });
    const raw = await door.send("PUT", "/v1/chat/completions", CHAT, OPERATOR);
    expect([raw.status, await raw.json()]).toEqual([405, { error: expect.objectContaining({ type: "invalid_request_error" }) }]);
    // Unknown fields are ignored. Known fields are accepted if they have a value without effect.
    expect(await refusal({ store: true, user: "u", metadata: {}, service_tier: "auto", tools: [], logprobs: false })).toBe(null);
  });

  test("can leave in the middle of a stream; the next request is answered", async () => {
    const stream = await openai.chat.completions.create({ ...CHAT, max_tokens: 200, stream: true });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) break;
    expect(chunks).toBe(3);
    expect((await openai.chat.completions.create(CHAT)).choices).toHaveLength(1);
  });

  test("streams are server-sent events that end with exactly one [DONE]", async () => {
    const response = await fetch(new URL("/v1/chat/completions", door.url), {
      method: "POST",
      headers: { ...OPERATOR, "content-type": "application/json" },
      body: JSON.stringify({ ...CHAT, stream: true }),
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events: string[] = [];
    for await (const { data } of response.body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()))
      events.push(data);
    expect(events.filter((data) => data === "[DONE]")).toHaveLength(1);
    expect(events.at(-1)).toBe("[DONE]");
  });
});

describe("ollama", () => {
  test("lists and shows the active model", async () => {
    const { models } = await ollama.list();
    expect(models.map(({ name, digest }) => [name, digest])).toEqual([["tiffin:latest", model]]);
    const shown = await ollama.show({ model: "tiffin" });
    expect(shown).toMatchObject({ capabilities: ["completion"], details: { family: "qwen3" } });
    expect((await ollama.version()).version).toMatch(/^\d+\.\d+\.\d+$/);
    await expect(ollama.show({ model: "llama3" })).rejects.toThrow("model: expected tiffin");
  });

  test("generates and chats with the text of POST /generate, whole and streamed", async () => {
    const expected = await native({ text: "Hello" });
    const options = { seed: 7, num_predict: 24 };
    const whole = await ollama.generate({ model: "tiffin", prompt: "Hello", options });
    const { promptTokens, completionTokens } = expected.usage;
    expect(whole).toMatchObject({ response: expected.response, done: true });
    expect([whole.prompt_eval_count, whole.eval_count]).toEqual([promptTokens, completionTokens]);
    let text = "";
    let ends = 0;
    for await (const part of await ollama.generate({ model: "tiffin", prompt: "Hello", options, stream: true })) {
      text += part.response;
      if (part.done) ends++;
    }
    expect([text, ends]).toEqual([expected.response, 1]);
    const messages = [{ role: "user", content: "Hello" }];
    expect((await ollama.chat({ model: "tiffin", messages, options })).message.content).toBe(expected.response);
    text = "";
    for await (const part of await ollama.chat({ model: "tiffin", messages, options, stream: true })) text += part.message.content;
    expect(text).toBe(expected.response);
  });

  test("generates and chats in JSON", async () => {
    const options = { seed: 7, num_predict: 120 };
    const object = await ollama.generate({ model: "tiffin", prompt: "Hello", format: "json", options });
    expect(JSON.parse(object.response ?? "")).toBeTypeOf("object");
    const messages = [{ role: "user", content: "Hello" }];
    const chat = await ollama.chat({ model: "tiffin", messages, format: z.toJSONSchema(PERSON) as object, options });
    expect(PERSON.safeParse(JSON.parse(chat.message.content)).success).toBe(true);
  });

  test("can abort a stream, and reads a body of any type", async () => {
    const stream = await ollama.generate({ model: "tiffin", prompt: "Hello", options: { num_predict: 200 }, stream: true });
    await expect(
      (async () => {
        for await (const _ of stream) stream.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    const response = await fetch(new URL("/api/generate", door.url), {
      method: "POST",
      headers: { ...OPERATOR, "content-type": "application/x-www-form-urlencoded" },
      body: JSON.stringify({ model: "tiffin", prompt: "Hello", stream: false }),
    });
    expect([response.status, ((await response.json()) as { done: boolean }).done]).toEqual([200, true]);
  });

  test("gets errors with the field's name", async () => {
    await expect(ollama.generate({ model: "tiffin", prompt: "a", options: { temperature: -1 } })).rejects.toThrow("options.temperature");
    await expect(ollama.generate({ model: "tiffin", prompt: "a", format: "yaml" })).rejects.toThrow('format: expected "json"');
  });
});

const provider = () =>
  createOpenAICompatible({ baseURL: new URL("/v1", door.url).href, name: "tiffin", apiKey: OPERATOR_TOKEN, includeUsage: true });

describe("the AI SDK", () => {
  test("generates and streams a text with its usage", async () => {
    const expected = await native({ text: "Hello", temperature: 0.5 });
    const request = { model: provider().chatModel("tiffin"), prompt: "Hello", seed: 7, maxOutputTokens: 24, temperature: 0.5 };
    const { text, usage, finishReason } = await generateText(request);
    const { promptTokens, completionTokens } = expected.usage;
    expect([text, usage.inputTokens, usage.outputTokens]).toEqual([expected.response, promptTokens, completionTokens]);
    const streamed = streamText(request);
    let deltas = "";
    for await (const delta of streamed.textStream) deltas += delta;
    expect([deltas, await streamed.finishReason, (await streamed.usage).outputTokens]).toEqual([text, finishReason, completionTokens]);
  });

  test("generates an object of a schema", async () => {
    const strict = createOpenAICompatible({
      baseURL: new URL("/v1", door.url).href,
      name: "tiffin",
      apiKey: OPERATOR_TOKEN,
      supportsStructuredOutputs: true,
    }).chatModel("tiffin");
    const { output } = await generateText({
      model: strict,
      prompt: "Hello",
      seed: 7,
      maxOutputTokens: 120,
      output: Output.object({ schema: PERSON }),
    });
    expect(PERSON.safeParse(output).success).toBe(true);
  });

  test("can abort a stream in the middle", async () => {
    const controller = new AbortController();
    const streamed = streamText({
      model: provider().chatModel("tiffin"),
      prompt: "Hello",
      maxOutputTokens: 200,
      abortSignal: controller.signal,
      onError: () => undefined,
    });
    let aborted = false;
    for await (const part of streamed.fullStream) {
      if (part.type === "text-delta") controller.abort();
      if (part.type === "abort") aborted = true;
    }
    expect(aborted).toBe(true);
  });
});

describe("LangChain", () => {
  testLangchain(() => door);
});
describe("keys", () => {
  testKeys(() => door);
});
