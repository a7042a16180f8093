/** The whole journey over HTTP: a site's pages pass through all seven Workers and become an answer that people can score. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { configPath, ROOT } from "../../scripts/local/workers.ts";
import type { Costs } from "../../shared/contracts/costs.ts";
import { MAX_RPC_BYTES, MAX_SUBREQUESTS, MAX_WORKER_CALLS } from "../../shared/limits.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { audit, readSpans, TRACES, type Counts, type Span } from "./audit.ts";
import { harnessOfAll, OPERATOR_TOKEN } from "./harness.ts";
import { tracedUsage } from "./traced-usage.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const CRONS = [
  ["tiffin-collector", "*/5 * * * *"],
  ["tiffin-coordinator", "* * * * *"],
  ["tiffin-feedback", "*/10 * * * *"],
] as const;
const PAGES = 12;
/** Pages with names of their own, because pages that differ only in a number are near-duplicates. */
const sentences = (page: number) =>
  Array.from(
    { length: 12 },
    (_, line) => `Page ${page} tells of kettle ${page}, cup ${page} and tea ${page} that ${page} pours at ${line} o'clock. `,
  ).join("");

const site = createServer((request, response) => {
  const path = request.url ?? "/";
  response.setHeader("content-type", "text/html");
  const links = Array.from({ length: PAGES }, (_, page) => `<a href="/page/${page}">page ${page}</a>`).join(" ");
  const page = /^\/page\/(\d+)$/.exec(path)?.[1];
  if (path === "/") response.end(`<html><body>${links}</body></html>`);
  else if (page === undefined) response.writeHead(404).end();
  else response.end(`<html><head><title>Tea</title></head><body><article><p>${sentences(Number(page))}</p></article></body></html>`);
});
let server: ReturnType<typeof harnessOfAll>;
let origin = "";
/** The traces of everything that the journey's invocations did. */
let spans: readonly Span[] = [];

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    site.listen(0, "127.0.0.1", resolve);
  });
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  // The audit needs local traces, whatever the environment says.
  vi.stubEnv("X_LOCAL_OBSERVABILITY", "true");
  server = harnessOfAll([], { [configPath("collector")]: { vars: { LOCAL_ORIGIN: origin } } });
  await server.listen();
  await server.getWorker("tiffin-feedback").applyD1Migrations("DB");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server.close();
  site.close();
});

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await server.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  expect(response.status, `${method} ${path}`).toBe(200);
  return (await response.json()) as T;
}

test("turns pages into a model that answers, and a vote sets the reward of the answer", async () => {
  const source = await call<{ id: string }>("POST", "/sources", { url: `${origin}/`, scope: "host", quality: "basic" });
  const [crawl] = await call<{ id: string }[]>("POST", "/crawls", { source: source.id });
  const crawled = () => call<{ state: string; documents: number }>("GET", `/crawls/${crawl!.id}`);
  await vi.waitFor(async () => expect((await crawled()).state).toBe("done"), { timeout: PATIENCE_MS, interval: 200 });
  expect((await crawled()).documents).toBe(PAGES);

  const request = { name: "journey", preset: "tiny", tokens: 4096, vocabSize: 300 };
  const { run } = await call<{ run: string }>("POST", "/runs", request);
  // A second request, for example after a restart, returns the same run.
  expect((await call<{ run: string }>("POST", "/runs", request)).run).toBe(run);
  const status = () =>
    call<{ state: string; error: string | null; checkpoint: string; valLoss: number; firstLoss: number }>("GET", `/runs/${run}`);
  const active = () => call<{ model: string | null }>("GET", "/health");
  await vi.waitFor(async () => expect((await active()).model).not.toBeNull(), { timeout: PATIENCE_MS, interval: 300 });
  const trained = await status();
  expect([trained.state, trained.error]).toEqual(["done", null]);
  expect(trained.valLoss).toBeLessThan(trained.firstLoss);

  for (const [worker, cron] of CRONS) await server.getWorker(worker).scheduled({ cron });

  const ask = () =>
    call<{ receipt: string; model: string; response: string; candidates: { reward: number }[] }>("POST", "/generate", {
      text: "Page 3 tells of",
      temperature: 0,
      maxTokens: 12,
    });
  const answer = await ask();
  expect(answer.model).toBe(trained.checkpoint);
  expect(answer.candidates.map(({ reward }) => reward)).toEqual([0, 0, 0]);
  await call("POST", "/feedback", { receipt: answer.receipt, score: 0.75 });
  const again = await ask();
  expect(again.response).toBe(answer.response);
  expect(again.candidates[0]!.reward).toBe(0.75);

  const costs = () => call<Costs>("GET", "/costs");
  await vi.waitFor(async () => expect((await costs()).answers[0]?.answers).toBe(2), { timeout: PATIENCE_MS, interval: 300 });
});

/** Half of each limit that production enforces but the local runtime does not. */
const HALF: Partial<Counts> = { subrequests: MAX_SUBREQUESTS / 2, workerCalls: MAX_WORKER_CALLS / 2, objectBytes: MAX_RPC_BYTES / 2 };
const COLUMNS = ["subrequests", "workerCalls", "sqlRows", "d1Rows", "objectBytes"] as const satisfies readonly (keyof Counts)[];

/** The ceilings of workers/README.md, by kind of invocation. */
function ceilings(): Map<string, Counts> {
  const section = /## Limits\n([\s\S]*?)\n## /.exec(readFileSync(join(ROOT, "workers/README.md"), "utf8"))?.[1] ?? "";
  const rows = [...section.matchAll(/^\| (\w+: [\w ]+) \|(.*)\|$/gm)].map(([, kind, cells]) => {
    const numbers = cells!.split("|").map((cell) => Number(cell.replaceAll(",", "")));
    return [kind!, Object.fromEntries(COLUMNS.map((column, index) => [column, numbers[index]])) as unknown as Counts] as const;
  });
  return new Map(rows);
}

// Counts depend on the order in which messages arrive. So a failure prints each row with counts rounded up to powers of two,
// ready for the table.
const ceilingOf = (count: number) => (count === 0 ? 0 : 2 ** Math.ceil(Math.log2(count)));
const rowOf = (kind: string, counts: Counts) =>
  `| ${kind} | ${COLUMNS.map((column) => ceilingOf(counts[column]).toLocaleString("en")).join(" | ")} |`;

test("no invocation of the journey comes near a limit, nor above the ceilings of workers/README.md", async () => {
  spans = await readSpans((sql) => call("POST", TRACES, { sql }));
  const counts = audit(spans);
  expect(counts.size).toBeGreaterThan(10);
  const table = ceilings();
  const above = [...counts].filter(([kind, most]) => {
    const ceiling = table.get(kind);
    return ceiling === undefined || COLUMNS.some((column) => most[column] > ceiling[column]);
  });
  expect(above.map(([kind, most]) => rowOf(kind, most)).toSorted()).toEqual([]);
  const near = [...table].filter(([, ceiling]) => COLUMNS.some((column) => ceiling[column] > (HALF[column] ?? Infinity)));
  expect(near).toEqual([]);
});

test("the ledger's counts are within a fifth of what the traces say", async () => {
  // A run tells the ledger now and then. This call tells the rest.
  const { RUN } = await server.getWorker<CoordinatorEnv>("tiffin-coordinator").getEnv();
  await RUN.getByName("journey").rouse();
  const { runs, answers, others } = await call<Costs>("GET", "/costs");
  spans = await readSpans((sql) => call("POST", TRACES, { sql }));
  const counted: Record<string, Usage> = {
    run: runs.find(({ run }) => run === "journey")!.usage,
    answers: answers[0]!.usage,
    collector: others.find(({ worker }) => worker === "collector")!.usage,
  };
  const pairs = Object.entries(tracedUsage(spans)).flatMap(([account, traced]) =>
    Object.entries(traced).map(([unit, count]) => ({ account, unit, counted: counted[account]![unit as keyof Usage] ?? 0, traced: count })),
  );
  if (process.env["SHOW_COUNTS"] !== undefined) console.table(pairs);
  expect(pairs.filter(({ traced }) => traced === 0)).toEqual([]);
  expect(pairs.filter((pair) => Math.abs(pair.counted - pair.traced) > pair.traced / 5)).toEqual([]);
  const gateway = others.find(({ worker }) => worker === "gateway")!.usage;
  expect(gateway.requests).toBeGreaterThan(0);
  expect(gateway.cpuMilliseconds).toBeGreaterThan(0);
});

test("a line of each Worker that did a request's work has the id of the request", async () => {
  const lines = () => server.getLogs().map(({ message }) => message);
  const carries = async (worker: string, requested: ReturnType<typeof server.fetch>) => {
    const id = (await requested).headers.get("x-request-id");
    expect([worker, lines().some((line) => id !== null && line.includes(`"request":"${id}"`))]).toEqual([worker, true]);
  };
  const authorization = `Bearer ${OPERATOR_TOKEN}`;
  const post = (path: string, body: object) =>
    server.fetch(path, { method: "POST", headers: { authorization, "content-type": "application/json" }, body: JSON.stringify(body) });
  await carries("generator", post("/predict", { text: "Page 3 tells of", candidates: ["kettle"] }));
  await carries("generator", post("/explain", { text: "Page 3 tells of" }));
  await carries("collector", post("/sources", { url: `${origin}/`, scope: "host", quality: "basic" }));
  await carries("collector", server.fetch(`/documents?url=${origin}/page/1`, { method: "DELETE", headers: { authorization } }));
});
