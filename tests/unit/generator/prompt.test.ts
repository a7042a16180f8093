/** Which part of a long prompt the model reads, and how long its answer may be. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { presetOf } from "../../../shared/config.ts";
import { CHATML, type Message } from "../../../shared/tokenizer/chat-template.ts";
import { loadTokenizer } from "../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../shared/tokenizer/json-writer.ts";
import { fitRequest, requestAndRoom } from "../../../workers/generator/prompt.ts";
import { trainedVocabulary } from "../tokenizer/texts.ts";

const CONTEXT = 128;
const vocabulary = trainedVocabulary(300);
const tokenizer = loadTokenizer(tokenizerToJson(vocabulary));
const model = {
  tokenizer,
  chatTemplate: CHATML,
  config: { ...presetOf("tiny").model, vocabSize: 16 + 256 + 300, context: CONTEXT },
};
const read = (ids: readonly number[]) => new TextDecoder().decode(tokenizer.decodeBytes([...ids]));

const message = (role: Message["role"], content: string): Message => ({ role, content });

test("a question keeps its context beside an answer of 64 tokens", () => {
  const context = { time: "06:00", place: "gym", mood: "a mood that needs several words to be described" };
  const { ids, room } = requestAndRoom(model, { kind: "question", text: "I need songs", context }, 64);
  expect(ids.length).toBeGreaterThan(CONTEXT - 64);
  expect(read(ids)).toContain("time: ");
  expect(room).toBe(CONTEXT - ids.length);
});

test("a long conversation keeps its system message and its newest messages", () => {
  const turns = Array.from({ length: 20 }, (_, turn) => message(turn % 2 === 0 ? "user" : "assistant", `turn ${turn}`));
  const messages = [message("system", "Be kind."), ...turns, message("user", "What now?")];
  const text = read(requestAndRoom(model, { kind: "chat", messages }, null).ids);
  expect(text).toContain("Be kind.");
  expect(text).toContain("What now?");
  expect(text).toContain("turn 19");
  expect(text).not.toContain("turn 0");
});

test("a prompt fits into its space, and an answer of at least one token fits after the prompt", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 400 }),
      fc.dictionary(fc.string({ minLength: 1, maxLength: 10 }), fc.string({ maxLength: 100 }), { maxKeys: 4 }),
      fc.option(fc.integer({ min: 1, max: 8192 })),
      (text, context, maxTokens) => {
        const { ids, room } = requestAndRoom(model, { kind: "question", text, context }, maxTokens);
        expect(ids.length).toBeGreaterThan(0);
        expect(room).toBeGreaterThan(0);
        expect(ids.length + room).toBeLessThanOrEqual(CONTEXT);
        expect(fitRequest(model, { kind: "text", text }, 10).length).toBeLessThanOrEqual(10);
      },
    ),
  );
});
