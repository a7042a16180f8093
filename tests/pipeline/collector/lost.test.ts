/** A crash between the fetch and the store loses only the answer: the frontier sends the page again. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Host } from "../fixtures/collector/index.ts";
import { notFound, openWeb, page, prose, text, until } from "./web.ts";

/** With this delay the queue holds messages back for whole seconds, so the test reaches the host before the queue does. */
const ROBOTS = "User-agent: *\nCrawl-delay: 30\n";
const LEASE_MS = 60_000;
/** More than the gate's longest wait and a lease together. */
const LONG_MS = 60_000 + LEASE_MS;

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb({
    "lost.com": (path) => (path === "/robots.txt" ? text(ROBOTS) : path === "/" ? page(prose("home")) : notFound()),
  });
});
afterAll(() => web.close());

test("a page that was fetched but never stored is fetched again after its lease, and stored once", async () => {
  const source = await web.addSource("http://lost.com/");
  const [crawl] = await web.collector.startCrawls({ source: source.id });
  const { HOST } = await web.worker.getEnv();
  const host = HOST.getByName("http://lost.com") as DurableObjectStub<Host>;
  const pages = () => web.asked("lost.com").filter((path) => path === "/").length;
  // The test acts as a consumer that takes each message before the queue delivers it. It stores the (empty) result of the
  // sitemap, and crashes after it has fetched the page.
  const sitemap = { origin: "http://lost.com", crawl: crawl!.id, url: "http://lost.com/sitemap.xml" };
  await until(async () => expect((await host.visit(sitemap)).kind).toBe("fetched"));
  await host.complete(sitemap, { pages: [], sitemaps: [], validators: null });
  const message = { ...sitemap, url: "http://lost.com/" };
  await until(async () => expect((await host.visit(message)).kind).toBe("fetched"));
  expect(pages()).toBe(1);
  expect((await web.collector.getCrawl(crawl!.id)).documents).toBe(0);

  // The lease has not expired, so the page is not sent again.
  await host.elapse(LEASE_MS / 2);
  expect((await host.visit(message)).kind).toBe("nothing");
  await host.elapse(LONG_MS);
  expect(await web.finished(crawl!.id)).toMatchObject({ fetched: 1, documents: 1, failed: 0 });
  expect(pages()).toBe(2);
});
