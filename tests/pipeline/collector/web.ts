/**
 * A web of public hosts in memory, and the real collector in front of it: the harness hands outbound requests of a Worker
 * to Node's `fetch`. Every request is kept with its times, so that a test can say who was asked, when, and with whom at once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, vi } from "vitest";
import { createTestHarness } from "wrangler";
import type { Crawl, Source } from "../../../shared/contracts/sources.ts";
import { configPath } from "../../../scripts/local/workers.ts";

export type Site = (path: string) => Response;

export interface Request {
  host: string;
  path: string;
  startedAt: number;
  endedAt: number;
}

/** What the tests call of the collector: its RPC methods, as the harness offers them. */
export interface CollectorCalls {
  addSource(input: object): Promise<Source>;
  startCrawls(input: { source?: string }): Promise<Crawl[]>;
  getCrawl(id: string): Promise<Crawl>;
  removeUrl(url: string): Promise<{ removed: number }>;
  snapshot(input: { sources?: string[] }): Promise<{ hash: string; documents: number; segments: number }>;
}

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

export async function openWeb(sites: Readonly<Record<string, Site>>) {
  const requests: Request[] = [];
  vi.stubGlobal("fetch", async (input: string | URL | globalThis.Request) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const request: Request = { host: url.host, path: url.pathname + url.search, startedAt: performance.now(), endedAt: Infinity };
    requests.push(request);
    await sleep(RESPONSE_MS);
    request.endedAt = performance.now();
    return (sites[url.host] ?? notFound)(request.path);
  });
  const server = createTestHarness({ workers: [{ configPath: configPath("collector") }] });
  await server.listen();
  const worker = server.getWorker<CollectorEnv>("tiffin-collector");
  // The harness types the export only from a module type, which Node-side tests do not load.
  const collector = (await worker.getExport()) as unknown as CollectorCalls;
  const addSource = (url: string, more: object = {}) =>
    collector.addSource({ url, scope: "host", pageBudget: 50, revisitSeconds: 3600, ...more });
  const finished = async (id: string) => {
    await vi.waitFor(async () => expect((await collector.getCrawl(id)).state).toBe("done"), { timeout: 50_000, interval: 100 });
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
