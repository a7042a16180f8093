/**
 * A web of public hosts in memory, with the real collector in front of it. The harness hands a Worker's outbound requests to
 * Node's `fetch`. Every request is recorded with its times, so tests can check which host was requested, when, and whether two
 * requests overlapped.
 *
 * The collector's clock skips every wait (fixtures/collector). Tests that measure times use a clock in real time. Tests wait
 * for states; DEADLINE_MS only ends a test that hangs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import { documentSchema, snapshotSchema, type Document } from "../../../shared/artifacts.ts";
import { getJson } from "../../../shared/store.ts";
import { visitDocuments } from "../../../workers/tokenizer/segments.ts";
import type { Crawl, Source } from "../../../shared/contracts/sources.ts";
import { fixture, harnessOf } from "../harness.ts";

export type Site = (path: string, headers: Headers) => Response | Promise<Response>;

export interface Request {
  host: string;
  path: string;
  startedAt: number;
  endedAt: number;
}

/** The collector's RPC methods that tests call, with the types of the harness. */
export interface CollectorCalls {
  addSource(input: object): Promise<Source>;
  startCrawls(input: { source?: string }): Promise<Crawl[]>;
  getCrawl(id: string): Promise<Crawl>;
  removeUrl(url: string): Promise<{ removed: number }>;
  snapshot(input: { sources?: string[] }): Promise<{ hash: string; documents: number; segments: number }>;
}

/** Far beyond what a machine six times slower needs. */
export const DEADLINE_MS = 500_000;

const CONFIG = fixture("collector");

/** With the real clock, an answer takes this long, so overlapping requests are visible. */
const RESPONSE_MS = 100;

export function page(body: string, headers: Record<string, string> = {}): Response {
  return new Response(`<html><head><title>t</title></head><body>${body}</body></html>`, {
    headers: { "content-type": "text/html", ...headers },
  });
}

/** A text that is long enough to be kept. */
export const prose = (topic: string) => `<p>${`${topic} is described here in plain words that fill a line. `.repeat(8)}</p>`;

export const text = (body: string, type = "text/plain") => new Response(body, { headers: { "content-type": type } });

export const notFound = () => new Response("no", { status: 404 });

/** Waits until a check passes. */
export const until = (check: () => unknown) => vi.waitFor(check, { timeout: DEADLINE_MS, interval: 50 });

export async function openWeb(sites: Readonly<Record<string, Site>>, clock: "leaping" | "system" = "leaping") {
  const requests: Request[] = [];
  vi.stubGlobal("fetch", async (input: string | URL | globalThis.Request, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(input instanceof Request ? input.headers : init?.headers);
    const request: Request = { host: url.host, path: url.pathname + url.search, startedAt: performance.now(), endedAt: Infinity };
    requests.push(request);
    if (clock === "system") await sleep(RESPONSE_MS);
    request.endedAt = performance.now();
    return (sites[url.host] ?? notFound)(request.path, headers);
  });
  const server = harnessOf([CONFIG], { [CONFIG]: { vars: { CLOCK: clock } } });
  await server.listen();
  const worker = server.getWorker<CollectorEnv>("tiffin-collector");
  // The harness can type the export only by the Worker's module, which tests in Node do not load. So the type is stated here.
  const collector = (await worker.getExport()) as unknown as CollectorCalls;
  const addSource = (url: string, more: object = {}) =>
    collector.addSource({ url, scope: "host", pageBudget: 50, revisitSeconds: 3600, quality: "none", ...more });
  const finished = async (id: string) => {
    await until(async () => expect((await collector.getCrawl(id)).state).toBe("done"));
    return collector.getCrawl(id);
  };
  return {
    requests,
    worker,
    collector,
    addSource,
    finished,
    asked: (host: string) => requests.filter((request) => request.host === host).map(({ path }) => path),
    /** Registers a site, crawls it and returns the finished crawl. */
    crawl: async (url: string, more: object = {}) => {
      const source = await addSource(url, more);
      const [crawl] = await collector.startCrawls({ source: source.id });
      return finished(crawl!.id);
    },
    close: async () => {
      await server.close();
      vi.unstubAllGlobals();
    },
  };
}

/** The documents of a source's newest snapshot, as the tokenizer reads them. */
export async function stored(web: Awaited<ReturnType<typeof openWeb>>, source: string): Promise<Document[]> {
  const { CORPUS } = await web.worker.getEnv();
  const { hash } = await web.collector.snapshot({ sources: [source] });
  const documents: Document[] = [];
  const snapshot = await getJson(CORPUS, "snapshot", hash, snapshotSchema);
  await visitDocuments(CORPUS, snapshot, { segment: 0, document: 0 }, Infinity, (document) =>
    documents.push(documentSchema.parse(document)),
  );
  return documents;
}
