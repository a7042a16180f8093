/** The collector in workerd against a local site: what it stores, what it leaves alone, what it forgets. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTestHarness } from "wrangler";

const words = (topic: string) => `<p>${`${topic} is described here in plain words that fill a line. `.repeat(8)}</p>`;
const asked: string[] = [];
const PAGES: Record<string, string> = {
  "/": `${words("home")}<a href="/a">a</a><a href="/copy">c</a><a href="/secret">s</a>`,
  "/a": words("tea"),
  "/copy": words("tea"),
  "/secret": words("secret"),
};
const site = createServer((request, response) => {
  const path = request.url ?? "/";
  asked.push(path);
  if (path === "/robots.txt") response.setHeader("content-type", "text/plain").end("User-agent: *\nDisallow: /secret\n");
  else if (PAGES[path] === undefined) response.writeHead(404).end();
  else response.setHeader("content-type", "text/html").end(`<html><head><title>t</title></head><body>${PAGES[path]}</body></html>`);
});
let server: ReturnType<typeof createTestHarness>;
let origin = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    site.listen(0, "127.0.0.1", resolve);
  });
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  server = createTestHarness({ workers: [{ configPath: "workers/collector/wrangler.toml", vars: { LOCAL_ORIGIN: origin } }] });
  await server.listen();
});
afterAll(async () => {
  await server.close();
  site.close();
});

test("crawls within robots.txt, drops duplicates, snapshots and forgets", async () => {
  // The harness types the export only from a module type, which Node-side tests do not load.
  const collector = (await server.getWorker("tiffin-collector").getExport()) as any;
  // The harness throws a rejection at the call, so the call is wrapped.
  let refused = "accepted";
  try {
    await collector.addSource({ url: "http://10.0.0.1/", scope: "host", pageBudget: 5, revisitSeconds: 60 });
  } catch (error) {
    refused = (error as Error).name;
  }
  expect(refused).toBe("InvalidInput");
  const source = await collector.addSource({ url: `${origin}/`, scope: "host", pageBudget: 20, revisitSeconds: 60 });
  const [crawl] = await collector.startCrawls({ source: source.id });
  await vi.waitFor(async () => expect((await collector.getCrawl(crawl.id)).state).toBe("done"), { timeout: 25_000, interval: 200 });
  const done = await collector.getCrawl(crawl.id);
  expect([done.documents, done.duplicates]).toEqual([2, 1]);
  expect(asked).not.toContain("/secret");
  const before = await collector.snapshot({});
  expect([before.documents, before.segments]).toEqual([2, 1]);
  // One of the two pages with the same text was kept, under the address that came first.
  expect((await collector.removeUrl(`${origin}/a`)).removed).toBe(1);
  const after = await collector.snapshot({});
  expect([after.documents, after.segments]).toEqual([1, 1]);
});
