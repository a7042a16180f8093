/**
 * `npm start`: the whole journey on this machine. It serves the documentation of the installed packages as a web site (or
 * takes `--site URL`), crawls the site, trains a tokenizer and a model on all cores, teaches the model Tiffin's lessons, asks
 * questions in several situations, and stays up. It talks to the gateway only over HTTP. A second start continues where the
 * first stopped.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { presetOf } from "../shared/config.ts";
import { answerSchema } from "../shared/contracts/generate.ts";
import type { RunStatus } from "../shared/contracts/runs.ts";
import { crawlSchema, sourceSchema, type Crawl } from "../shared/contracts/sources.ts";
import { given, readOptions, webAddress, wholeNumber } from "./cli/options.ts";
import { duration, Stage } from "./cli/progress.ts";
import { Client } from "./local/client.ts";
import { serveDocs } from "./local/docs-site.ts";
import { isDone, untilActive } from "./local/poll-run.ts";
import { askInSituations, describeAnswer, prepareLessons } from "./local/teach.ts";
import { startLocal, studioLink } from "./local/stack.ts";
import { freePort, stopOnExit, stopProcesses } from "./local/processes.ts";
import { isMeasured, tokensThatFit, trainStage } from "./local/train-stage.ts";
import { ROOT } from "./local/workers.ts";

const DOCS_PORT = 8790;
const POLL_MS = 500;
const PAGE_BUDGET = 2000;
/** Documentation has code, lists and tables, which filters for prose would drop (workers/collector/README.md). */
const QUALITY = "basic";
/** One week. A start within a week of the last crawl uses that crawl. */
const REVISIT_SECONDS = 7 * 24 * 3600;
/** The planned time of the whole start, including the lessons. */
const DEFAULT_MINUTES = 5;
const SITE_QUESTION = "How do I install this package?";
const MEMORY = join(ROOT, ".tiffin", "start.json");

const USAGE = `npm start -- [--once] [--json] [--site URL] [--minutes N | --tokens N] [--preset NAME] [--fresh] [--port N]`;

/**
 * Results of earlier starts that can be used again. `docsPort`: the port of the documentation site. `crawls`: the last crawl
 * of each source. `tokens`: for the name of a run with all tokens of its preset, the number of tokens that fit into the time.
 */
const memorySchema = z.object({
  docsPort: z.number().optional(),
  crawls: z.record(z.string(), z.string()).optional(),
  tokens: z.record(z.string(), z.number()).optional(),
});
type Memory = z.infer<typeof memorySchema>;

interface Plan {
  preset: string;
  tokens: number | undefined;
  /** The time at which the lessons should end, as a value of Date.now(). */
  deadline: number;
  memory: Memory;
}

interface Pretrained {
  request: Record<string, unknown>;
  run: RunStatus;
}

const OPTIONS = {
  once: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  fresh: { type: "boolean", default: false },
  site: { type: "string" },
  tokens: { type: "string" },
  minutes: { type: "string" },
  preset: { type: "string", default: "small" },
  port: { type: "string" },
} as const;

function remember(memory: Memory): void {
  mkdirSync(join(ROOT, ".tiffin"), { recursive: true });
  writeFileSync(MEMORY, JSON.stringify(memory, null, 2));
}

/** The crawl of an earlier start, if it is still running or its documents are fresh. */
async function currentCrawl(client: Client, id: string): Promise<string | null> {
  // After the state was deleted, the crawl does not exist: 404.
  const crawl = await client.call("GET", `/crawls/${id}`, crawlSchema).catch((error: Error) => {
    if (error.message.includes("got 404")) return null;
    throw error;
  });
  if (crawl === null) return null;
  const isFresh = Date.now() - Date.parse(crawl.startedAt) < REVISIT_SECONDS * 1000;
  return crawl.state === "running" || (isFresh && crawl.documents + crawl.duplicates + crawl.unchanged > 0) ? id : null;
}

/** Crawls the site unless an earlier start has crawled it. Returns its source and the finished crawl. */
async function collect(client: Client, site: string, memory: Memory): Promise<{ source: string; crawl: Crawl }> {
  const stage = new Stage("collect", "pages");
  const source = await client.call("POST", "/sources", sourceSchema, {
    url: site,
    scope: "path",
    pageBudget: PAGE_BUDGET,
    revisitSeconds: REVISIT_SECONDS,
    quality: QUALITY,
  });
  const known = memory.crawls?.[source.id];
  const current = known === undefined ? null : await currentCrawl(client, known);
  const [started] = current === null ? await client.call("POST", "/crawls", z.array(crawlSchema), { source: source.id }) : [];
  const id = current ?? started?.id;
  if (id === undefined) throw new Error(`expected a crawl of ${site} to start, got none`);
  memory.crawls = { ...memory.crawls, [source.id]: id };
  remember(memory);
  for (;;) {
    const crawl = await client.call("GET", `/crawls/${id}`, crawlSchema);
    if (crawl.state === "done") {
      stage.done(`${crawl.fetched} pages, ${crawl.documents} documents, ${(crawl.bytes / 1e6).toFixed(2)} MB of text`);
      return { source: source.id, crawl };
    }
    stage.update(crawl.fetched, crawl.fetched + crawl.queued, `${crawl.documents} documents`);
    await sleep(POLL_MS);
  }
}

/**
 * Trains the model on one source. Without `--tokens`, the run gets the tokens of its preset. If they do not fit into the
 * minutes at the speed of the first two rounds, the run gets as many tokens as fit. This number is remembered, so the next
 * start continues the same run.
 */
async function pretrain(client: Client, collected: { site: string; source: string; crawl: string }, plan: Plan): Promise<Pretrained> {
  const { site, source, crawl } = collected;
  // Only this source is used, because the corpus may hold other sites from earlier starts.
  const requestFor = (tokens: number | undefined) => {
    const effort = { preset: plan.preset, ...given({ tokens }) };
    const name = createHash("sha256")
      .update(JSON.stringify({ site, crawl, ...effort }))
      .digest("hex");
    return { name: `start-${name.slice(0, 16)}`, sources: [source], ...effort };
  };
  const full = requestFor(plan.tokens);
  const known = plan.tokens ?? plan.memory.tokens?.[full.name];
  if (known !== undefined || plan.tokens !== undefined) {
    const request = requestFor(known);
    return { request, run: await trainStage(client, request, "train") };
  }
  const status = await trainStage(client, full, "train", isMeasured);
  if (isDone(status)) return { request: full, run: status };
  const tokens = tokensThatFit(status, (plan.deadline - Date.now()) / 1000);
  if (tokens === null) return { request: full, run: await trainStage(client, full, "train") };
  const request = requestFor(tokens);
  process.stderr.write(
    `This machine trains ${status.tokensPerSecond} tokens a second: ${tokens} of ${status.totalTokens} tokens fit into the time. \`--tokens ${tokens}\` repeats this run, \`--minutes N\` allows more.\n`,
  );
  plan.memory.tokens = { ...plan.memory.tokens, [full.name]: tokens };
  remember(plan.memory);
  await client.send("DELETE", `/runs/${status.id}`);
  return { request, run: await trainStage(client, request, "train") };
}

async function main(): Promise<void> {
  const options = readOptions(USAGE, OPTIONS, ({ once, json, fresh, site, tokens, minutes, preset, port }) => {
    presetOf(preset);
    const effort = { preset, tokens: wholeNumber("tokens", tokens, 1, 1e10), minutes: wholeNumber("minutes", minutes, 1, 100_000) };
    return Object.assign(effort, { once, json, fresh, site: webAddress("site", site), port: wholeNumber("port", port, 1, 65_535) });
  });
  const startedAt = Date.now();
  const memory: Memory = existsSync(MEMORY) && !options.fresh ? memorySchema.parse(JSON.parse(readFileSync(MEMORY, "utf8"))) : {};
  stopOnExit();

  if (options.site === undefined) {
    memory.docsPort = await freePort(memory.docsPort ?? DOCS_PORT);
    await serveDocs(memory.docsPort);
  }
  const site = options.site ?? `http://127.0.0.1:${memory.docsPort}/`;
  const up = new Stage("start", "");
  const local = await startLocal({
    localOrigin: new URL(site).origin,
    fresh: options.fresh,
    onStudio: (address) => up.note(`studio    watch it at ${address}`),
    ...given({ port: options.port }),
  });
  // The memory is deleted only now: if another Tiffin is running, this start is refused, and the other Tiffin keeps its
  // memory.
  if (options.fresh) rmSync(MEMORY, { force: true });
  up.done(`seven Workers at ${local.url}`);
  const client = new Client(local.url, local.token);

  const { source, crawl } = await collect(client, site, memory);
  const deadline = startedAt + (options.minutes ?? DEFAULT_MINUTES) * 60_000;
  const collected = { site, source, crawl: crawl.id };
  const { request, run } = await pretrain(client, collected, { preset: options.preset, tokens: options.tokens, deadline, memory });
  await untilActive(client, run.checkpoint, request, POLL_MS);
  const continued = await client.call("POST", "/generate", answerSchema, { text: SITE_QUESTION });

  const origin = { model: run.checkpoint!, tokens: run.tokens ?? 0, preset: options.preset };
  const { count, request: lessons } = await prepareLessons(client, origin);
  const taught = await trainStage(client, lessons, "lessons");
  await untilActive(client, taught.checkpoint, lessons, POLL_MS);
  const answers = await askInSituations(client);
  for (const answer of answers) process.stderr.write(`\n${describeAnswer(answer)}\n`);
  const last = await client.call("POST", "/generate", answerSchema, { text: SITE_QUESTION });
  process.stderr.write(`\n> ${SITE_QUESTION}\n${last.response}\n(before the lessons: ${continued.response})\n`);
  const result = {
    pages: crawl.fetched,
    documents: crawl.documents,
    bytes: crawl.bytes,
    vocab: run.vocabSize,
    tokens: run.tokens,
    parameters: run.parameters,
    steps: (run.rounds ?? 0) * (run.steps ?? 1),
    firstLoss: run.firstLoss,
    valLoss: run.valLoss,
    unigramLoss: run.unigramLoss,
    trigramLoss: run.trigramLoss,
    bitsPerByte: run.bitsPerByte,
    tokensPerSecond: run.tokensPerSecond,
    model: last.model,
    checkpoint: run.checkpoint,
    response: continued.response,
    lessons: { count, checkpoint: taught.checkpoint, valLoss: taught.valLoss, seconds: taught.trainingSeconds },
    answers: [...answers, { text: SITE_QUESTION, context: {}, response: last.response, predictions: [] }],
    seconds: Math.round((Date.now() - startedAt) / 1000),
  };
  if (options.json) console.log(JSON.stringify(result));
  if (options.once) {
    await local.stop();
    process.exit(0);
  }
  process.stderr.write(`
Tiffin is up after ${duration(result.seconds)}. Ctrl-C stops it; \`npm start\` continues from here.
  studio    ${await studioLink(local.url, local.token)}
  ask       curl ${local.url}/generate -H 'content-type: application/json' -d '{"text": "I need songs", "context": {"time": 6, "place": "gym"}}'
  score     curl ${local.url}/feedback -H 'content-type: application/json' -d '{"receipt": "RECEIPT OF AN ANSWER", "score": 1}'
  read      curl ${local.url}/health; curl ${local.url}/openapi.json
  operate   the token is OPERATOR_TOKEN in .dev.vars; the routes are in README.md
  take out  npm run export -- --format hf,gguf
`);
  setInterval(() => undefined, 60_000);
}

try {
  await main();
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  await stopProcesses();
  process.exit(1);
}
