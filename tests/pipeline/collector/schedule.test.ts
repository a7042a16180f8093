/** When the collector in workerd crawls: at cron ticks, after the revisit interval, and for crawls whose opening call crashed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { notFound, openWeb, page, prose, until, type Site } from "./web.ts";

const REVISIT_SECONDS = 3600;

const siteOf =
  (name: string): Site =>
  (path) =>
    path === "/" ? page(prose(name)) : notFound();

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb({ "due.com": siteOf("due"), "opened.com": siteOf("opened"), "behind.com": siteOf("behind") });
});
afterAll(() => web.close());

const cron = () => web.worker.scheduled({ cron: "*/5 * * * *" });
/** Moves the start of every crawl into the past. */
const startedEarlier = async (seconds: number) => {
  const storage = await web.worker.getDurableObjectStorage("CATALOG", { name: "catalog" });
  const moved = `strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(json, '$.startedAt'), '-${seconds} seconds')`;
  await storage.exec(`UPDATE crawls SET json = json_set(json, '$.startedAt', ${moved})`);
};
const visits = (host: string) => web.asked(host).filter((path) => path === "/").length;

test("cron starts a due source once, even if cron fires twice, and again after the revisit interval", async () => {
  const source = await web.addSource("http://due.com/", { revisitSeconds: REVISIT_SECONDS });
  await Promise.all([cron(), cron()]);
  // The running crawl is returned; no second crawl starts.
  const [crawl] = await web.collector.startCrawls({ source: source.id });
  expect((await web.finished(crawl!.id)).documents).toBe(1);
  await cron();
  expect(await web.collector.startCrawls({})).toEqual([]);
  expect(visits("due.com")).toBe(1);

  // Instead of waiting for an hour, the test moves the crawl's start an hour back.
  await startedEarlier(REVISIT_SECONDS - 600);
  await cron();
  expect(await web.collector.startCrawls({})).toEqual([]);
  await startedEarlier(600);
  await cron();
  await until(() => expect(visits("due.com")).toBe(2));
});

test("cron begins a crawl that was opened but never begun", async () => {
  const source = await web.addSource("http://opened.com/");
  const { CATALOG } = await web.worker.getEnv();
  const { crawl } = await CATALOG.getByName("catalog").openCrawl(source.id);
  await cron();
  expect((await web.finished(crawl.id)).documents).toBe(1);
  expect(visits("opened.com")).toBe(1);
});

test("if one source cannot be begun, cron begins the others and reports the failure", async () => {
  const { CATALOG } = await web.worker.getEnv();
  const catalog = CATALOG.getByName("catalog");
  const broken = { id: "0", kind: "site", url: "no address", scope: "host", pageBudget: 1, revisitSeconds: 1, createdAt: "" } as const;
  await catalog.putSource(broken);
  await web.addSource("http://behind.com/");
  await expect(async () => web.collector.startCrawls({})).rejects.toThrow("source 0: ");
  await until(() => expect(web.asked("behind.com")).toContain("/robots.txt"));
});
