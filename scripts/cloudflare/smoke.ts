/**
 * The test after a deployment, over HTTP, as a stranger and as the operator. Every Worker answers, forty calls in a row
 * succeed, two trainers compute a tiny run, the model answers and accepts a vote. If a model is active already, the run is
 * deleted before it could replace that model. Otherwise its model becomes the first active model.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { storedVoteSchema } from "../../shared/contracts/feedback.ts";
import { answerSchema } from "../../shared/contracts/generate.ts";
import { healthSchema, type Health } from "../../shared/contracts/health.ts";
import { startedRunSchema } from "../../shared/contracts/runs.ts";
import { trainMerges, type Merge } from "../../shared/tokenizer/bpe.ts";
import { tokenizerToJson } from "../../shared/tokenizer/json-writer.ts";
import { LAYOUT } from "../../shared/tokenizer/layout.ts";
import { splitWords } from "../../shared/tokenizer/pre-tokenizer.ts";
import { Tokenizer } from "../../shared/tokenizer/tokenizer.ts";
import { Client } from "../local/client.ts";
import { datasetObjects, jsonBytes, storedObject, type StoredObject } from "../local/dataset-objects.ts";
import { isDone, pollRun, untilActive } from "../local/poll-run.ts";
import { ROOT, WORKERS } from "../local/workers.ts";

const CALLS = 40;
const TRAINERS = 2;
const VOCAB_SIZE = 400;
const TRAIN_SHARE = 0.9;
const POLL_MS = 500;
/** A new workers.dev address needs about a minute until it answers. */
const UP_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 600_000;
/** More tokens than the run needs. The run is stopped as soon as two trainers have computed for it. */
const RUN_TOKENS = 50_000_000;

type Print = (line: string) => void;

export interface SmokeOptions {
  url: string;
  /** The operator's token. Without it, the training run is skipped. */
  token: string | undefined;
  /** Writes an object to the deployment's bucket of artifacts. */
  put: (object: StoredObject) => Promise<void>;
  print: Print;
}

/** A tokenizer and a dataset made from this repository's README. */
async function readmeDataset(): Promise<{ dataset: string; objects: StoredObject[] }> {
  const text = readFileSync(join(ROOT, "README.md"), "utf8");
  const counts = new Map<string, number>();
  for (const word of splitWords(text, LAYOUT.preTokenizer)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const merges: Merge[] = [];
  const target = VOCAB_SIZE - LAYOUT.minVocabSize;
  trainMerges({ words: [...counts], merges }, target, target);
  const tokenizer = new Tokenizer(LAYOUT.vocabulary(merges));
  const file = await storedObject("tokenizer", jsonBytes(tokenizerToJson(tokenizer.vocabulary)));
  const split = Math.floor(text.length * TRAIN_SHARE);
  const [train, val] = [text.slice(0, split), text.slice(split)];
  const { hash, objects } = await datasetObjects({
    tokenizer: file.hash,
    vocabSize: tokenizer.vocabSize,
    endTokens: [tokenizer.endOfText],
    train: Uint16Array.from(tokenizer.encode(train)),
    val: Uint16Array.from(tokenizer.encode(val)),
    valBytes: Buffer.byteLength(val),
  });
  return { dataset: hash, objects: [file, ...objects] };
}

/** Waits until every Worker is up. */
async function untilUp(client: Client): Promise<Health> {
  const deadline = Date.now() + UP_TIMEOUT_MS;
  for (;;) {
    const health = await client.call("GET", "/health", healthSchema).catch((error: Error) => error);
    if (!(health instanceof Error)) {
      const missing = WORKERS.filter(({ name }) => health.parts[name] !== "up").map(({ name }) => name);
      if (missing.length === 0) return health;
      if (Date.now() > deadline) throw new Error(`expected every Worker to be up, but these are down: ${missing.join(", ")}`);
    } else if (Date.now() > deadline) throw health;
    await sleep(POLL_MS);
  }
}

/** Trains a tiny run until two trainers have computed for it. Its model becomes active only if no model is active. */
async function checkTraining(client: Client, { put, print }: SmokeOptions, hasModel: boolean): Promise<void> {
  const { dataset, objects } = await readmeDataset();
  for (const object of objects) await put(object);
  const request = { name: `smoke-${Date.now().toString(36)}`, preset: "tiny", dataset, tokens: RUN_TOKENS, shards: TRAINERS, steps: 4 };
  const { run } = await client.call("POST", "/runs", startedRunSchema, request);
  try {
    const wait = { pollMs: POLL_MS, timeoutMs: RUN_TIMEOUT_MS };
    const { round } = await pollRun(client, run, ({ trainers, round: now }) => trainers.length >= TRAINERS && (now ?? 0) > 0, wait);
    print(`smoke: ${TRAINERS} trainers computed a run, which is at round ${round}`);
    if (hasModel) return;
    await client.send("POST", `/runs/${run}/stop`);
    const { checkpoint } = await pollRun(client, run, isDone, wait);
    await untilActive(client, checkpoint, request, POLL_MS);
  } finally {
    // Deleting the run does not delete its model.
    await client.send("DELETE", `/runs/${run}`).catch((error: Error) => print(`smoke: the run ${run} stays: ${error.message}`));
  }
}

/** Throws at the first check that fails. */
export async function smoke(options: SmokeOptions): Promise<void> {
  const { url, token, print } = options;
  const client = new Client(url, token ?? "");
  const health = await untilUp(client);
  // Health checks are rate-limited, so the calls go to the registry (as operator) or to `/`.
  for (let call = 0; call < CALLS; call++) await client.send("GET", token === undefined ? "/" : "/models");
  print(`smoke: all ${WORKERS.length} Workers are up, ${CALLS} calls in a row succeeded`);
  if (token === undefined) {
    print("smoke: no training run without the operator's token: set OPERATOR_TOKEN to include one");
    if (health.model === null) return;
  } else await checkTraining(client, options, health.model !== null);
  const answer = await client.call("POST", "/generate", answerSchema, { text: "What is Tiffin?", maxTokens: 8 });
  const { votes } = await client.call("POST", "/feedback", storedVoteSchema, { receipt: answer.receipt, score: 0.5 });
  if (votes < 1) throw new Error(`smoke: expected the vote to count, got ${votes} votes`);
  print(`smoke: model ${answer.model.slice(0, 12)} answered ${JSON.stringify(answer.response)}, and the vote counts`);
}
