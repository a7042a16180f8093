/**
 * `npm run bench -- decode [--rounds N] [--json]`: the decode path inside workerd, one request at a time, with random weights of
 * llama2.c's stories15M shape (github.com/karpathy/llama2.c) and of the default model of `npm start`.
 *
 * - tokens per second: greedy, 200 tokens after a prompt of 32, without text and protocols; the best round counts
 * - `firstTokenMs`: a prompt of 32 tokens and its first token, warm; `prefillTokensPerSecond`: a prompt of 224 tokens
 * - `coldStartMs`: the first request of a fresh isolate, from its sending to its first token: the backend, the model's parts
 *   from R2 with their hashes, and the prompt. workerd has compiled the script before.
 * - `isolateMB`: the resident set of workerd above its idle baseline, after all of it in int8. The emulated bucket is part of it.
 * - `eightCandidates`: the time of a token of each of eight candidates in one batch, in tokens of a single candidate
 */
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import "./support/tensors-in-node.ts";
import { presetOf, type ModelConfig } from "../../shared/config.ts";
import type { Print } from "../cli/runner.ts";
import { runProcess } from "../local/processes.ts";
import { ROOT } from "../local/workers.ts";
import { childMemory } from "./support/process-memory.ts";
import type { Decoded } from "./workers/decode/index.ts";

const CONFIG = join(import.meta.dirname, "workers", "decode", "wrangler.toml");
const MIB = 2 ** 20;
const PROMPT = 32;
const LONG_PROMPT = 224;
const TOKENS = 200;

/** llama2.c's stories15M. Its heads have 48 numbers. */
const STORIES: ModelConfig = {
  ...presetOf("base").model,
  vocabSize: 32_000,
  width: 288,
  mlpWidth: 768,
  layers: 6,
  heads: 6,
  kvHeads: 6,
  headWidth: 48,
  context: 256,
  tiedEmbeddings: true,
};
const SMALL: ModelConfig = { ...presetOf("small").model, vocabSize: presetOf("small").vocabSize };

/** Runs `work` with a function that asks a fresh isolate, whose bucket holds the model. */
async function withModel<T>(
  config: ModelConfig,
  work: (ask: (query: Record<string, string | number>) => Promise<Decoded>, idleBytes: number) => Promise<T>,
): Promise<T> {
  const { publishRandomModel } = await import("./support/decode-model.ts");
  const server = createTestHarness({ workers: [{ configPath: CONFIG }] });
  await server.listen();
  try {
    await server.fetch("http://bench/");
    const idleBytes = childMemory("workerd");
    const { ARTIFACTS } = await server.getWorker<{ ARTIFACTS: R2Bucket }>("tiffin-decode-bench").getEnv();
    const model = await publishRandomModel(ARTIFACTS, config);
    const ask = async (query: Record<string, string | number>) => {
      const search = new URLSearchParams(Object.entries({ model, ...query }).map(([name, value]) => [name, String(value)]));
      const response = await server.fetch(`http://bench/?${search}`);
      if (!response.ok) throw new Error(`bench decode: expected tokens, got ${response.status}: ${await response.text()}`);
      return (await response.json()) as Decoded;
    };
    return await work(ask, idleBytes);
  } finally {
    await server.close();
  }
}

/** The generator's bundle after gzip, minified as in a deploy. */
function bundleGzipKB(): number {
  const { status, output } = runProcess("wrangler", [
    "deploy",
    "--dry-run",
    "--minify",
    "-c",
    join(ROOT, "workers/generator/wrangler.toml"),
  ]);
  const gzip = /gzip:\s*([\d.]+)\s*KiB/.exec(output)?.[1];
  if (status !== 0 || gzip === undefined)
    throw new Error(`bench decode: expected wrangler to bundle the generator, got exit ${status}\n${output}`);
  return Number(gzip);
}

export const FLAGS = { rounds: 5 };

const perSecond = (milliseconds: number) => Math.round(1000 / milliseconds);
const round = (value: number, digits = 1) => Number(value.toFixed(digits));

export async function run({ rounds }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const stories = await withModel(STORIES, async (ask, idleBytes) => {
    const start = performance.now();
    const cold = await ask({ precision: "int8", prompt: PROMPT, tokens: 1, rounds: 0 });
    const coldStartMs = performance.now() - start;
    print(`cold start ${coldStartMs.toFixed(0)} ms: load ${cold.loadMs}, pack ${cold.packMs}, first token ${cold.coldFirstTokenMs}`);
    const int8 = await ask({ precision: "int8", prompt: PROMPT, tokens: TOKENS, rounds });
    const long = await ask({ precision: "int8", prompt: LONG_PROMPT, tokens: 1, rounds: 2 * rounds });
    const eight = await ask({ precision: "int8", prompt: PROMPT, tokens: TOKENS, rounds, choices: 8 });
    const isolateMB = Math.round((childMemory("workerd") - idleBytes) / MIB);
    const float32 = await ask({ precision: "float32", prompt: PROMPT, tokens: TOKENS, rounds });
    const longFloat32 = await ask({ precision: "float32", prompt: LONG_PROMPT, tokens: 1, rounds: 2 * rounds });
    const eightFloat32 = await ask({ precision: "float32", prompt: PROMPT, tokens: TOKENS, rounds, choices: 8 });
    const reference = await ask({ precision: "reference", prompt: PROMPT, tokens: 50, rounds });
    return {
      int8TokensPerSecond: perSecond(int8.tokenMs),
      f32TokensPerSecond: perSecond(float32.tokenMs),
      referenceTokensPerSecond: perSecond(reference.tokenMs),
      firstTokenMs: int8.firstTokenMs,
      coldStartMs: Math.round(coldStartMs),
      prefillTokensPerSecond: Math.round((LONG_PROMPT * 1000) / long.firstTokenMs),
      f32PrefillTokensPerSecond: Math.round((LONG_PROMPT * 1000) / longFloat32.firstTokenMs),
      eightCandidates: round(eight.tokenMs / int8.tokenMs, 2),
      f32EightCandidates: round(eightFloat32.tokenMs / float32.tokenMs, 2),
      isolateMB,
      wasmMB: Math.round(eight.wasmBytes / MIB),
      peakGflops: round(Math.max(int8.peakGflops, float32.peakGflops)),
    };
  });
  print(JSON.stringify(stories));
  const small = await withModel(SMALL, async (ask) => {
    const tokensPerSecond = async (precision: string) =>
      perSecond((await ask({ precision, prompt: PROMPT, tokens: SMALL.context - PROMPT, rounds: 4 * rounds })).tokenMs);
    return {
      int8TokensPerSecond: await tokensPerSecond("int8"),
      f32TokensPerSecond: await tokensPerSecond("float32"),
      referenceTokensPerSecond: await tokensPerSecond("reference"),
    };
  });
  print(`default model: ${JSON.stringify(small)}`);
  return { ...stories, bundleGzipKB: bundleGzipKB(), defaultModel: small };
}
