/** LangChain's client of OpenAI's protocol, unmodified, against the running gateway on loopback. */
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { expect, test } from "vitest";
import { z } from "zod";
import { OPERATOR_TOKEN } from "../harness.ts";
import { OPERATOR, type openDoor } from "./door.ts";

const PERSON = z.object({ name: z.string().max(10), age: z.int().min(0).max(150) });

/** The model must be the active one, with a context of at least 128 tokens. */
export function testLangchain(door: () => Awaited<ReturnType<typeof openDoor>>): void {
  const configuration = () => ({ baseURL: new URL("/v1", door().url).href });
  const chat = (fields: object = {}) =>
    new ChatOpenAI({
      model: "tiffin",
      apiKey: OPERATOR_TOKEN,
      maxRetries: 0,
      maxTokens: 24,
      configuration: configuration(),
      modelKwargs: { seed: 7 },
      ...fields,
    });

  test("answers with the text of POST /generate, whole and streamed", async () => {
    const asked = await door().send("POST", "/generate", { text: "Hello", candidates: 1, seed: 7, maxTokens: 24 }, OPERATOR);
    const { response } = (await asked.json()) as { response: string };
    const whole = await chat().invoke("Hello");
    expect(whole.text).toBe(response);
    let text = "";
    for await (const chunk of await chat().stream("Hello")) text += chunk.text;
    expect(text).toBe(response);
  });

  test("can abort a stream; the next request is answered", async () => {
    const controller = new AbortController();
    await expect(
      (async () => {
        for await (const _ of await chat({ maxTokens: 200 }).stream("Hello", { signal: controller.signal })) controller.abort();
      })(),
    ).rejects.toThrow(/abort/i);
    expect((await chat().invoke("Hello")).text.length).toBeGreaterThan(0);
  });

  test("gets log probabilities", async () => {
    const { response_metadata } = await chat({ logprobs: true, topLogprobs: 2 }).invoke("Hello");
    const { content } = response_metadata["logprobs"] as { content: { logprob: number; top_logprobs: object[] }[] };
    expect(content.length).toBeGreaterThan(0);
    expect(content.every(({ logprob, top_logprobs }) => logprob <= 0 && top_logprobs.length === 2)).toBe(true);
  });

  test("gets an object of a schema", async () => {
    const person = await chat({ maxTokens: 100 }).withStructuredOutput(PERSON, { method: "jsonSchema", name: "person" }).invoke("Hello");
    expect(PERSON.safeParse(person).success).toBe(true);
  });

  test("gets vectors, and errors with the field's name", async () => {
    const embeddings = new OpenAIEmbeddings({ model: "tiffin", apiKey: OPERATOR_TOKEN, maxRetries: 0, configuration: configuration() });
    const [first, second] = await embeddings.embedDocuments(["Hello", "World"]);
    expect([first!.length, second!.length]).toEqual([16, 16]);
    await expect(chat({ temperature: 3 }).invoke("Hello")).rejects.toThrow(/temperature/);
    await expect(chat({ model: "gpt-4o" }).invoke("Hello")).rejects.toThrow(/model/);
  });
}
