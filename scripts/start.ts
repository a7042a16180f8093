/**
 * `npm start`: the whole journey on this machine. Serves the installed packages' documentation as a web site (or takes
 * `--site URL`), crawls it, trains a tokenizer and a model on all cores, publishes it, asks it two questions, and
 * stays up. Everything goes through the gateway over HTTP; started again it continues where the last start stopped.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { presetOf } from "../shared/config.ts";
import type { RunStatus } from "../workers/coordinator/status.ts";
import { Client } from "./local/client.ts";
import { serveDocs } from "./local/docs-site.ts";
import { startLocal } from "./local/stack.ts";
import { given, readOptions, webAddress, wholeNumber } from "./cli/options.ts";
import { freePort, stopOnExit, stopProcesses } from "./local/processes.ts";
import { duration, Stage } from "./cli/progress.ts";
import { ROOT } from "./local/workers.ts";

const DOCS_PORT = 8790;
const POLL_MS = 500;
const PUBLISH_TIMEOUT_MS = 60_000;
const PAGE_BUDGET = 2000;
/** A week: a second start within it does not crawl again. */
const REVISIT_SECONDS = 7 * 24 * 3600;
const QUESTIONS = ["How do I install this package?", "What is a Worker?"];
const MEMORY = join(ROOT, ".tiffin", "start.json");

const USAGE = `npm start -- [--once] [--json] [--site URL] [--tokens N] [--preset NAME] [--fresh] [--port N]`;

interface Crawl {
  id: string;
  state: string;
  queued: number;
  fetched: number;
  documents: number;
  duplicates: number;
  bytes: number;
  startedAt: string;
}

/** What earlier starts did, so that this one need not. */
interface Memory {
  docsPort?: number;
  crawls?: Record<string, string>;
}

const OPTIONS = {
  once: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  fresh: { type: "boolean", default: false },
  site: { type: "string" },
  tokens: { type: "string" },
  preset: { type: "string", default: "small" },
  port: { type: "string" },
} as const;

function remember(memory: Memory): void {
  mkdirSync(join(ROOT, ".tiffin"), { recursive: true });
  writeFileSync(MEMORY, JSON.stringify(memory, null, 2));
}

/** The crawl of an earlier start, if it goes on still or found something that is not too old. */
async function currentCrawl(client: Client, id: string): Promise<string | null> {
  // Of a state that was deleted it knows nothing.
  const crawl = await client.call<Crawl>("GET", `/crawls/${id}`).catch((error: Error) => {
    if (error.message.includes("got 404")) return null;
    throw error;
  });
  if (crawl === null) return null;
  const isFresh = Date.now() - Date.parse(crawl.startedAt) < REVISIT_SECONDS * 1000;
  return crawl.state === "running" || (isFresh && crawl.documents + crawl.duplicates > 0) ? id : null;
}

/** Crawls the site unless an earlier start did, and returns its source and the finished crawl. */
async function collect(client: Client, site: string, memory: Memory): Promise<{ source: string; crawl: Crawl }> {
  const stage = new Stage("collect", "pages");
  const source = await client.call<{ id: string }>("POST", "/sources", {
    url: site,
    scope: "path",
    pageBudget: PAGE_BUDGET,
    revisitSeconds: REVISIT_SECONDS,
  });
  const known = memory.crawls?.[source.id];
  const current = known === undefined ? null : await currentCrawl(client, known);
  const [started] = current === null ? await client.call<Crawl[]>("POST", "/crawls", { source: source.id }) : [];
  const id = current ?? started?.id;
  if (id === undefined) throw new Error(`expected a crawl of ${site} to start, got none`);
  memory.crawls = { ...memory.crawls, [source.id]: id };
  remember(memory);
  for (;;) {
    const crawl = await client.call<Crawl>("GET", `/crawls/${id}`);
    if (crawl.state === "done") {
      stage.done(`${crawl.fetched} pages, ${crawl.documents} documents, ${(crawl.bytes / 1e6).toFixed(2)} MB of text`);
      return { source: source.id, crawl };
    }
    stage.update(crawl.fetched, crawl.fetched + crawl.queued, `${crawl.documents} documents`);
    await sleep(POLL_MS);
  }
}

/** Starts or rejoins the run and shows it until it is done. */
async function train(client: Client, request: Record<string, unknown>): Promise<RunStatus> {
  const { run } = await client.call<{ run: string }>("POST", "/runs", request);
  let stage: Stage | null = null;
  let shown = "";
  for (;;) {
    const status = await client.call<RunStatus>("GET", `/runs/${run}`);
    if (status.state === "failed") {
      stage?.fail(status.error ?? "unknown error");
      throw new Error(
        `run ${run} failed: ${status.error ?? "no reason given"}. Logs are in .tiffin/logs; \`npm start -- --fresh\` begins anew.`,
      );
    }
    const name = status.state === "preparing" ? status.progress.stage : status.state === "training" ? "train" : "evaluate";
    if (status.state !== "done" && name !== shown) {
      stage?.done("done");
      stage = new Stage(name, status.state === "training" ? "tokens" : "");
      shown = name;
    }
    if (status.state === "done") {
      stage?.done(`validation loss ${status.valLoss?.toFixed(3)} nats per token (unigram ${status.unigramLoss?.toFixed(3)})`);
      return status;
    }
    if (status.state === "training") {
      const loss = status.losses.at(-1)?.loss;
      const note = loss === undefined ? "" : `loss ${loss.toFixed(3)}`;
      stage?.update(status.tokens ?? 0, status.totalTokens ?? 0, note, status.tokensPerSecond, status.secondsLeft);
    } else stage?.update(status.progress.done, status.progress.total);
    await sleep(POLL_MS);
  }
}

/**
 * The Workflow publishes and activates what the run has ended with, after its next look, which is far off after a long run:
 * to ask for the same run again is to have it look at once. Since an earlier start another model may have been activated.
 */
async function activate(client: Client, checkpoint: string | null, request: Record<string, unknown>): Promise<void> {
  const deadline = Date.now() + PUBLISH_TIMEOUT_MS;
  for (let isAsked = false; ; isAsked = true) {
    const models = await client.call<{ model: string; active: boolean }[]>("GET", "/models");
    const own = models.find(({ model }) => model === checkpoint);
    if (own?.active) return;
    if (own !== undefined) {
      await client.call("POST", `/models/${checkpoint}/activate`);
      return;
    }
    if (!isAsked) await client.call("POST", "/runs", request);
    if (Date.now() > deadline)
      throw new Error(
        `expected model ${checkpoint} to be published within ${PUBLISH_TIMEOUT_MS / 1000} s, it is not. Logs are in .tiffin/logs; \`npm start\` tries again.`,
      );
    await sleep(POLL_MS);
  }
}

async function main(): Promise<void> {
  const options = readOptions(USAGE, OPTIONS, ({ once, json, fresh, site, tokens, preset, port }) => {
    presetOf(preset);
    const effort = { preset, tokens: wholeNumber("tokens", tokens, 1, 1e10) };
    return Object.assign(effort, { once, json, fresh, site: webAddress("site", site), port: wholeNumber("port", port, 1, 65_535) });
  });
  const startedAt = Date.now();
  const memory: Memory = existsSync(MEMORY) && !options.fresh ? (JSON.parse(readFileSync(MEMORY, "utf8")) as Memory) : {};
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
    ...given({ port: options.port }),
  });
  // Not before: a start that is refused leaves everything to the one that runs.
  if (options.fresh) rmSync(MEMORY, { force: true });
  up.done(`seven Workers at ${local.url}`);
  const client = new Client(local.url, local.token);

  const { source, crawl } = await collect(client, site, memory);
  const effort = { preset: options.preset, ...given({ tokens: options.tokens }) };
  const name = createHash("sha256")
    .update(JSON.stringify({ site, crawl: crawl.id, ...effort }))
    .digest("hex");
  // What earlier starts crawled elsewhere is not this model's business.
  const request = { name: `start-${name.slice(0, 16)}`, sources: [source], ...effort };
  const run = await train(client, request);

  await activate(client, run.checkpoint, request);
  let first: { response: string; model: string } | null = null;
  for (const text of QUESTIONS) {
    const answer = await client.call<{ response: string; model: string }>("POST", "/generate", { text });
    first ??= answer;
    process.stderr.write(`\n> ${text}\n${answer.response}\n`);
  }
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
    model: first?.model,
    checkpoint: run.checkpoint,
    response: first?.response,
    seconds: Math.round((Date.now() - startedAt) / 1000),
  };
  if (options.json) console.log(JSON.stringify(result));
  if (options.once) {
    await local.stop();
    process.exit(0);
  }
  process.stderr.write(`
Tiffin is up after ${duration(result.seconds)}. Ctrl-C ends it; \`npm start\` continues from here.
  ask       curl ${local.url}/generate -H 'content-type: application/json' -d '{"text": "What is a stream?"}'
  score     curl ${local.url}/feedback -H 'content-type: application/json' -d '{"id": "ID OF AN ANSWER", "score": 1}'
  read      curl ${local.url}/health; curl ${local.url}/openapi.json
  operate   the token is OPERATOR_TOKEN in .dev.vars; routes are in README.md
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
