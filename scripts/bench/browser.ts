/**
 * `npm run bench -- browser [--json]`: the active model of this folder's state in Chromium. The page `/local` must give the
 * answers of `/generate` at temperature 0, and its first token within a second after the weights have arrived. Tiffin's runtime,
 * transformers.js and wllama (llama.cpp) must give these answers and the continuations of `/v1/completions`. The bench prints
 * tokens per second of all in the same run; transformers.js also with the int8 file, whose text may differ. Without a Chromium
 * it measures nothing and says so.
 */
import { Template } from "@huggingface/jinja";
import type { Browser } from "playwright-core";
import { z } from "zod";
import { answerSchema } from "../../shared/contracts/generate.ts";
import { provenanceSchema } from "../../shared/interchange/provenance.ts";
import { bundleRuntime } from "../build/runtime.ts";
import type { Print } from "../cli/runner.ts";
import { Client } from "../local/client.ts";
import { reachTiffin } from "../local/reach.ts";
import { findChromium, launch } from "../studio/chromium.ts";
import { serveOrigin } from "./support/browser/origin.ts";
import { openLocal, type LocalPage } from "./support/browser/local-page.ts";
import { openTiffin, openTransformers, openWllama, type Generated, type PageRuntime } from "./support/browser/runtimes.ts";
import { CONSUMER_PACKAGES, installConsumers } from "./support/interchange/consumers.ts";
import { completionOf, PROMPTS, trimmed } from "./support/interchange/greedy.ts";

const TOKENS = 50;
/** The first prompts are questions, the next ones texts to continue. */
const COUNT = 3;
const TURNS = 3;
const MAX_FIRST_TOKEN_MS = 1000;

const templateSchema = z.object({ chat_template: z.string() });

export const FLAGS = {};

interface Question {
  text: string;
  rendered: string;
  expected: string;
}
type Continuation = Omit<Question, "rendered">;

interface Measured {
  sameAnswers: number;
  sameContinuations: number;
  /** Tokens of all continuations. */
  tokens: number;
  /** The fastest continuation's, from the request to the last token. Times between tokens would not be reliable: messages bunch. */
  tokensPerSecond: number;
  /** Processor time of the whole browser per token of the cheapest continuation. It varies less than the speed on a busy machine. */
  cpuMsPerToken: number;
}

/** Seconds of processor time that all processes of a browser have used. */
async function cpuSecondsOf(browser: Browser): Promise<() => Promise<number>> {
  const session = await browser.newBrowserCDPSession();
  return async () => (await session.send("SystemInfo.getProcessInfo")).processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

/** Asks each runtime in turn, so that other work on the machine slows all of them down. */
async function measure<Name extends string>(
  runtimes: Readonly<Record<Name, PageRuntime>>,
  questions: readonly Question[],
  continuations: readonly Continuation[],
  cpuSeconds: () => Promise<number>,
) {
  const names = Object.keys(runtimes) as Name[];
  const measured = {} as Record<Name, Measured>;
  for (const name of names)
    measured[name] = { sameAnswers: 0, sameContinuations: 0, tokens: 0, tokensPerSecond: 0, cpuMsPerToken: Infinity };
  for (const { text, rendered, expected } of questions)
    for (const name of names)
      if (trimmed((await runtimes[name].answer(text, rendered, TOKENS)).text) === expected) measured[name].sameAnswers++;
  for (const { text, expected } of continuations)
    for (const name of names) {
      const figures = measured[name];
      let isSame = true;
      for (let turn = 0; turn < TURNS; turn++) {
        const before = await cpuSeconds();
        const made = await runtimes[name].resume(text, TOKENS);
        const cpuMs = 1000 * ((await cpuSeconds()) - before);
        isSame &&= trimmed(made.text) === expected;
        if (turn === 0) figures.tokens += made.tokens;
        figures.tokensPerSecond = Math.max(figures.tokensPerSecond, (1000 * made.tokens) / made.totalMs);
        figures.cpuMsPerToken = Math.min(figures.cpuMsPerToken, cpuMs / made.tokens);
      }
      if (isSame) figures.sameContinuations++;
    }
  return measured;
}

async function measureLocal(local: LocalPage, questions: readonly Question[]) {
  const answers: Generated[] = [];
  for (const { text } of questions) answers.push(await local.answer(text, TOKENS));
  return {
    sameAnswers: answers.filter(({ text }, at) => trimmed(text) === questions[at]!.expected).length,
    firstTokenMs: local.readyMs + answers[0]!.firstMs,
  };
}

export async function run(_: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const found = await findChromium();
  if (found === null) {
    print("no Chromium found (CHROMIUM_PATH, an installed one, @sparticuz/chromium): nothing is measured");
    return { skipped: true };
  }
  installConsumers();
  const tiffin = await reachTiffin();
  const origin = await serveOrigin(CONSUMER_PACKAGES, (await bundleRuntime()).code, tiffin);
  const browser = await launch(found);
  try {
    const client = new Client(tiffin.url, tiffin.token);
    const files = "/hub/tiffin/active/resolve/main";
    const { name, model, parameters } = provenanceSchema.parse(JSON.parse(await client.send("GET", `${files}/provenance.json`)));
    const { chat_template: jinja } = templateSchema.parse(JSON.parse(await client.send("GET", `${files}/tokenizer_config.json`)));
    const template = new Template(jinja);
    const questions: Question[] = [];
    for (const text of PROMPTS.slice(0, COUNT)) {
      const request = { text, temperature: 0, candidates: 1, maxTokens: TOKENS };
      const { response } = await client.call("POST", "/generate", answerSchema, request);
      const rendered = template.render({ messages: [{ role: "user", content: text }], add_generation_prompt: true });
      questions.push({ text, rendered, expected: trimmed(response) });
    }
    const continuations: Continuation[] = [];
    for (const text of PROMPTS.slice(COUNT, 2 * COUNT)) continuations.push({ text, expected: await completionOf(client, text, TOKENS) });
    print(`${name}: ${parameters} parameters, context ${model.context}; Chromium ${browser.version()}`);
    const context = () => browser.newContext();
    const local = await measureLocal(await openLocal(await context(), tiffin), questions);
    print(`/local: ${local.sameAnswers} of ${COUNT} answers the same, first token ${local.firstTokenMs.toFixed(0)} ms after the weights`);
    const runtimes = await measure(
      {
        tiffin: await openTiffin(await context(), origin.url),
        wllama: await openWllama(await context(), origin.url, `${files}/${name}-F32.gguf`, model.context),
        transformers: await openTransformers(await context(), origin.url, `tiffin/${name}`, "fp32"),
        transformersInt8: await openTransformers(await context(), origin.url, `tiffin/${name}`, "q8"),
      },
      questions,
      continuations,
      await cpuSecondsOf(browser),
    );
    for (const [runtime, { sameAnswers, sameContinuations, tokens, tokensPerSecond, cpuMsPerToken }] of Object.entries(runtimes)) {
      const same = `${sameAnswers} of ${COUNT} answers and ${sameContinuations} of ${COUNT} continuations the same`;
      print(
        `${runtime}: ${same}, ${tokens} tokens, ${tokensPerSecond.toFixed(0)} a second, ${cpuMsPerToken.toFixed(1)} ms of processor time each`,
      );
    }
    const { tiffin: ours, wllama, transformers } = runtimes;
    print(`the speed of Tiffin's runtime is ${(ours.tokensPerSecond / wllama.tokensPerSecond).toFixed(2)} times that of wllama`);
    const ok =
      local.sameAnswers === COUNT &&
      local.firstTokenMs <= MAX_FIRST_TOKEN_MS &&
      [ours, wllama, transformers].every((each) => each.sameAnswers === COUNT && each.sameContinuations === COUNT);
    return { ok, model: name, prompts: COUNT, local, runtimes };
  } finally {
    await browser.close();
    origin.close();
    await tiffin.close();
  }
}
