/** Compares greedy text of Tiffin with that of other runtimes: answers to questions, and continuations of plain text. */
import { Template } from "@huggingface/jinja";
import { z } from "zod";
import { answerSchema } from "../../../../shared/contracts/generate.ts";
import type { Print } from "../../../cli/runner.ts";
import type { Client } from "../../../local/client.ts";
import type { LlamaRuntime, transformersOf } from "./consumers.ts";

const TOKENS = 50;
export const PROMPTS: readonly string[] = [
  "What is a stream?",
  "How do I install this package?",
  "What is a Worker?",
  "The function returns",
  "import",
  "Options",
  "## Usage",
  "It is",
  "const a = ",
  "License",
];

const completionSchema = z.object({ choices: z.array(z.object({ text: z.string() })).length(1) });

/** Tiffin trims answers and holds back the bytes of an incomplete character. */
export const trimmed = (text: string) => text.replace(/\uFFFD+$/, "").trim();

/** Tiffin's most probable continuation of a text, trimmed. */
export async function completionOf(client: Client, prompt: string, length: number): Promise<string> {
  const request = { model: "tiffin", prompt, temperature: 0, max_tokens: length };
  const { choices } = await client.call("POST", "/v1/completions", completionSchema, request);
  return trimmed(choices[0]!.text);
}

/** A prompt counts if both the answer and the continuation agree. The other runtimes read the exported chat template. */
export async function compareGreedy(
  client: Client,
  jinja: string,
  llama: LlamaRuntime,
  transformers: Awaited<ReturnType<typeof transformersOf>>,
  print: Print,
) {
  const template = new Template(jinja);
  const result = { prompts: PROMPTS.length, inLlama: 0, inTransformers: 0 };
  for (const text of PROMPTS) {
    const request = { text, temperature: 0, candidates: 1, maxTokens: TOKENS };
    const { response } = await client.call("POST", "/generate", answerSchema, request);
    const continuation = await completionOf(client, text, TOKENS);
    const question = template.render({ messages: [{ role: "user", content: text }], add_generation_prompt: true });
    const expected = [trimmed(response), continuation];
    const inLlama = async (ids: readonly number[]) => trimmed(llama.decode(await llama.greedy(ids, TOKENS)));
    const readings = {
      inLlama: [await inLlama(llama.encode(question, true)), await inLlama(llama.encode(text))],
      inTransformers: [trimmed(await transformers.generate(question, TOKENS)), trimmed(await transformers.generate(text, TOKENS))],
    };
    for (const [name, texts] of Object.entries(readings)) {
      if (texts.join("\0") === expected.join("\0")) result[name as keyof typeof readings]++;
      else print(`  ${name} differs after ${text}: ${JSON.stringify(texts)} instead of ${JSON.stringify(expected)}`);
    }
  }
  return result;
}
