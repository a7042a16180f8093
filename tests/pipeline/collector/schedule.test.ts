/** When the collector in workerd crawls: cron, revisit interval, and crawls that were opened by a call that died. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { notFound, openWeb, page, prose } from "./web.ts";

/** Longer than a crawl of two requests takes on a busy machine: until then the source must not be due again. */
const REVISIT_SECONDS = 8;

let web: Awaited<ReturnType<typeof openWeb>>;
beforeEach(async () => {
  web = await openWeb({ "site.com": (path) => (path === "/" ? page(prose("home")) : notFound()) });
});
afterEach(() => web.close());

const cron = () => web.worker.scheduled({ cron: "*/5 * * * *" });
const visits = () => web.asked("site.com").filter((path) => path === "/").length;

test("cron starts what is due, once although it fires twice, and again after the revisit interval", async () => {
  const source = await web.addSource("http://site.com/", { revisitSeconds: REVISIT_SECONDS });
  await Promise.all([cron(), cron()]);
  // The crawl that runs is returned, not another one.
  const [crawl] = await web.collector.startCrawls({ source: source.id });
  expect((await web.finished(crawl!.id)).documents).toBe(1);
  await cron();
  expect(await web.collector.startCrawls({})).toEqual([]);
  expect(visits()).toBe(1);

  await sleep(Math.max(0, Date.parse(crawl!.startedAt) + REVISIT_SECONDS * 1000 + 100 - Date.now()));
  await cron();
  await vi.waitFor(() => expect(visits()).toBe(2), { timeout: 10_000 });
});

test("cron begins a crawl that was opened and never begun", async () => {
  const source = await web.addSource("http://site.com/");
  const { CATALOG } = await web.worker.getEnv();
  const { crawl } = await CATALOG.getByName("catalog").openCrawl(source.id);
  await cron();
  expect((await web.finished(crawl.id)).documents).toBe(1);
  expect(visits()).toBe(1);
});

test("cron begins the sources after one that cannot be begun, and says that one could not", async () => {
  const { CATALOG } = await web.worker.getEnv();
  const catalog = CATALOG.getByName("catalog");
  const broken = { id: "0", url: "no address", scope: "host", pageBudget: 1, revisitSeconds: 1, createdAt: "" } as const;
  await catalog.putSource(broken);
  await web.addSource("http://site.com/");
  await expect(async () => web.collector.startCrawls({})).rejects.toThrow("source 0: ");
  await vi.waitFor(() => expect(web.asked("site.com")).toEqual(["/robots.txt"]), { timeout: 10_000 });
});
