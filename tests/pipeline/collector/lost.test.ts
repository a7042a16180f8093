/** A crash of whoever fetches: between the fetch and the store everything is gone but the frontier, which sends the page again. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { notFound, openWeb, page, prose, text } from "./web.ts";

/** The queue holds a message back for the whole seconds of it, less one: time to be there before the queue. */
const CRAWL_DELAY_SECONDS = 5;
/** The frontier's lease of a minute, and time to crawl. */
const LEASE_AND_MORE_MS = 120_000;

const ROBOTS = `User-agent: *\nCrawl-delay: ${CRAWL_DELAY_SECONDS}\n`;

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb({
    "lost.com": (path) => (path === "/robots.txt" ? text(ROBOTS) : path === "/" ? page(prose("home")) : notFound()),
  });
});
afterAll(() => web.close());

test(
  "a page that was fetched and never stored is fetched again after its lease, and stored once",
  { timeout: LEASE_AND_MORE_MS },
  async () => {
    const source = await web.addSource("http://lost.com/");
    const [crawl] = await web.collector.startCrawls({ source: source.id });
    const { HOST } = await web.worker.getEnv();
    const host = HOST.getByName("http://lost.com");
    // This takes the page's message before the queue does, and dies with the page in its hands.
    const message = { origin: "http://lost.com", crawl: crawl!.id, url: "http://lost.com/" };
    await vi.waitFor(async () => expect(await host.visit(message)).not.toBeNull(), { timeout: 20_000, interval: 10 });
    expect(web.asked("lost.com").filter((path) => path === "/")).toHaveLength(1);
    expect((await web.collector.getCrawl(crawl!.id)).documents).toBe(0);

    await vi.waitFor(async () => expect((await web.collector.getCrawl(crawl!.id)).state).toBe("done"), {
      timeout: LEASE_AND_MORE_MS,
      interval: 500,
    });
    expect(await web.collector.getCrawl(crawl!.id)).toMatchObject({ fetched: 1, documents: 1, failed: 0 });
    expect(web.asked("lost.com").filter((path) => path === "/")).toHaveLength(2);
  },
);
