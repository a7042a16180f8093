/**
 * `npm run bench -- browser [--json]`: the active model of this folder's state in Chromium, in four runtimes: the page `/local`,
 * transformers.js in float32 and int8, and wllama (llama.cpp). All but int8 must give the answers of `/generate` at temperature
 * 0. The bench prints tokens per second of all in the same run, and how soon `/local` gives its first token after the weights
 * have arrived. Without a Chromium it measures nothing and says so.
 */
import { Template } from "@huggingface/jinja";
import { z } from "zod";
import { answerSchema } from "../../shared/contracts/generate.ts";
import { provenanceSchema } from "../../shared/interchange/provenance.ts";
import type { Print } from "../cli/runner.ts";
import { Client } from "../local/client.ts";
import { reachTiffin } from "../local/reach.ts";
import { findChromium, launch } from "../studio/chromium.ts";
import { serveOrigin } from "./support/browser/origin.ts";
import { openLocal, openTransformers, openWllama, type Generated, type PageRuntime } from "./support/browser/runtimes.ts";
import { CONSUMER_PACKAGES, installConsumers } from "./support/interchange/consumers.ts";
import { PROMPTS, trimmed } from "./support/interchange/greedy.ts";

const TOKENS = 50;
const QUESTIONS = 3;
const MAX_FIRST_TOKEN_MS = 1000;

const templateSchema = z.object({ chat_template: z.string() });

export const FLAGS = {};

interface Measured {
  readyMs: number | null;
  /** Questions with the answer of `/generate`. */
  same: number;
  tokens: number;
  /** The time to the first token of the first answer, which is the one that a visitor sees. */
  firstMs: number;
  /** The fastest answer's, from the question to the last token. Times between tokens would not be reliable: messages bunch. */
  tokensPerSecond: number;
}

interface Question {
  text: string;
  rendered: string;
  expected: string;
}

/** Asks every question of all runtimes in turn, so that other work on the machine slows all of them down. */
async function measure<Name extends string>(runtimes: Readonly<Record<Name, PageRuntime>>, questions: readonly Question[]) {
  const names = Object.keys(runtimes) as Name[];
  const made = new Map(names.map((name) => [name, [] as Generated[]]));
  for (const { text, rendered } of questions)
    for (const name of names) made.get(name)!.push(await runtimes[name].answer(text, rendered, TOKENS));
  const measuredOf = (name: Name): Measured => {
    const answers = made.get(name)!;
    return {
      readyMs: runtimes[name].readyMs,
      same: answers.filter(({ text }, at) => trimmed(text) === questions[at]!.expected).length,
      tokens: answers.reduce((sum, { tokens }) => sum + tokens, 0),
      firstMs: answers[0]!.firstMs,
      tokensPerSecond: Math.max(...answers.map(({ tokens, totalMs }) => (1000 * tokens) / totalMs)),
    };
  };
  return Object.fromEntries(names.map((name) => [name, measuredOf(name)])) as Record<Name, Measured>;
}

export async function run(_: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const found = await findChromium();
  if (found === null) {
    print("no Chromium found (CHROMIUM_PATH, an installed one, @sparticuz/chromium): nothing is measured");
    return { skipped: true };
  }
  installConsumers();
  const tiffin = await reachTiffin();
  const origin = await serveOrigin(CONSUMER_PACKAGES, tiffin);
  const browser = await launch(found);
  try {
    const client = new Client(tiffin.url, tiffin.token);
    const files = "/hub/tiffin/active/resolve/main";
    const { name, model, parameters } = provenanceSchema.parse(JSON.parse(await client.send("GET", `${files}/provenance.json`)));
    const { chat_template: jinja } = templateSchema.parse(JSON.parse(await client.send("GET", `${files}/tokenizer_config.json`)));
    const template = new Template(jinja);
    const questions: Question[] = [];
    for (const text of PROMPTS.slice(0, QUESTIONS)) {
      const request = { text, temperature: 0, candidates: 1, maxTokens: TOKENS };
      const { response } = await client.call("POST", "/generate", answerSchema, request);
      const rendered = template.render({ messages: [{ role: "user", content: text }], add_generation_prompt: true });
      questions.push({ text, rendered, expected: trimmed(response) });
    }
    print(`${name}: ${parameters} parameters, context ${model.context}; Chromium ${browser.version()}`);
    const context = () => browser.newContext();
    const measured = await measure(
      {
        local: await openLocal(await context(), tiffin),
        wllama: await openWllama(await context(), origin.url, `${files}/${name}-F32.gguf`, model.context),
        transformers: await openTransformers(await context(), origin.url, `tiffin/${name}`, "fp32"),
        transformersInt8: await openTransformers(await context(), origin.url, `tiffin/${name}`, "q8"),
      },
      questions,
    );
    for (const [runtime, { same, tokens, firstMs, tokensPerSecond, readyMs }] of Object.entries(measured)) {
      const ready = readyMs === null ? "" : `, ready ${readyMs.toFixed(0)} ms after the weights`;
      print(
        `${runtime}: ${same} of ${questions.length} answers the same, ${tokens} tokens, ${tokensPerSecond.toFixed(0)} a second, first token after ${firstMs.toFixed(0)} ms${ready}`,
      );
    }
    const { local, wllama, transformers } = measured;
    const firstTokenMs = local.readyMs! + local.firstMs;
    print(
      `/local: first token ${firstTokenMs.toFixed(0)} ms after the weights; ${(local.tokensPerSecond / wllama.tokensPerSecond).toFixed(2)} times wllama's speed`,
    );
    const ok = [local, wllama, transformers].every(({ same }) => same === questions.length) && firstTokenMs <= MAX_FIRST_TOKEN_MS;
    return { ok, model: name, questions: questions.length, firstTokenMs, measured };
  } finally {
    await browser.close();
    origin.close();
    await tiffin.close();
  }
}
