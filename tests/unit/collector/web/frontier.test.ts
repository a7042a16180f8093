/** The frontier as pure state: one entry on its way, leases, budgets, and a state that survives a restart at any point. */
import { array, assert, constantFrom, property, record } from "fast-check";
import { expect, test } from "vitest";
import { Frontier, MAX_ATTEMPTS, type ActiveCrawl, type Entry, type FrontierStore } from "../../../../workers/collector/web/frontier.ts";

/** Keeps rows in memory, as the Durable Object keeps them in SQLite. */
function memoryStore(): FrontierStore & { entries: Map<string, Entry> } {
  const crawls = new Map<string, ActiveCrawl>();
  const entries = new Map<string, Entry>();
  return {
    entries,
    load: () => ({ crawls: [...crawls.values()], entries: [...entries.values()].toSorted((a, b) => a.number - b.number) }),
    putCrawl: (crawl) => void crawls.set(crawl.crawl, crawl),
    putEntry: (entry) => void entries.set(`${entry.crawl} ${entry.url}`, entry),
    deleteCrawl: (crawl) => {
      crawls.delete(crawl);
      for (const [key, entry] of entries) if (entry.crawl === crawl) entries.delete(key);
    },
  };
}

const START = "http://a.com/docs/";
const crawl = (id: string, more: Partial<ActiveCrawl> = {}): ActiveCrawl => ({
  crawl: id,
  source: "source",
  adapter: "site",
  quality: "none",
  start: START,
  scope: "host",
  budget: 10,
  ...more,
});
const everything = () => true;
const start = (id: string) => ({ crawl: id, url: START });
const page = (path: string) => `http://a.com/${path}`;

/** A frontier with one crawl, whose start page is open. */
function opened(more: Partial<ActiveCrawl> = {}) {
  const store = memoryStore();
  const frontier = new Frontier(store);
  frontier.begin(crawl("1", more));
  frontier.release(start("1"), "open");
  return { store, frontier };
}

test("begins a crawl once, and sends nothing before robots.txt has been read", () => {
  const frontier = new Frontier(memoryStore());
  expect([frontier.begin(crawl("1")), frontier.begin(crawl("1"))]).toEqual([true, false]);
  expect(frontier.held().map(({ url }) => url)).toEqual([START]);
  expect(frontier.next()).toBeNull();
  frontier.release(start("1"), "open");
  expect(frontier.next()).toMatchObject({ url: START, attempts: 1 });
});

test("ends a crawl whose start page must not be fetched", () => {
  const frontier = new Frontier(memoryStore());
  frontier.begin(crawl("1"));
  expect(frontier.finished()).toEqual([]);
  frontier.release(start("1"), "done");
  expect(frontier.finished()).toEqual(["1"]);
  frontier.forget("1");
  expect(frontier.isEmpty).toBe(true);
});

test("has one entry on its way, and takes each message once", () => {
  const { frontier } = opened();
  frontier.addPages("1", [page("b")], everything);
  expect(frontier.next()?.url).toBe(START);
  expect(frontier.next()).toBeNull();
  expect(frontier.take(start("1"))?.state).toBe("taken");
  expect(frontier.take(start("1"))).toBeNull();
  expect(frontier.next()).toBeNull();
  expect([frontier.complete(start("1")), frontier.complete(start("1"))]).toEqual([true, false]);
  expect(frontier.next()?.url).toBe(page("b"));
});

test("sends sitemaps first, then pages of all crawls in the order of their discovery", () => {
  const { frontier } = opened();
  frontier.begin(crawl("2"));
  frontier.release(start("2"), "open");
  frontier.addPages("1", [page("b"), page("c")], everything);
  frontier.addPages("2", [page("d")], everything);
  frontier.addSitemaps("2", [page("map.xml")], everything);
  const order: string[] = [];
  for (let entry = frontier.next(); entry !== null; entry = frontier.next()) {
    order.push(`${entry.crawl} ${new URL(entry.url).pathname}`);
    frontier.complete(entry);
  }
  expect(order).toEqual(["2 /map.xml", "1 /docs/", "2 /docs/", "1 /b", "2 /d", "1 /c"]);
});

test("adds pages that are new, in scope, allowed and within the budget", () => {
  const { frontier, store } = opened({ scope: "path", budget: 3 });
  const found = ["docs/b#part", "docs/b", "docs/no", "blog/c", "docs/d", "docs/e"].map(page);
  frontier.addPages("1", found, (url) => url.pathname !== "/docs/no");
  expect([...store.entries.values()].map(({ url }) => url)).toEqual([START, page("docs/b"), page("docs/d")]);
  expect(frontier.queued("1")).toBe(3);
  frontier.addPages("unknown", found, everything);
  expect(store.entries.size).toBe(3);
});

test("adds at most twenty sitemaps", () => {
  const { frontier, store } = opened();
  const maps = Array.from({ length: 30 }, (_, index) => page(`map-${index}.xml`));
  frontier.addSitemaps("1", maps, everything);
  expect([...store.entries.values()].filter(({ kind }) => kind === "sitemap")).toHaveLength(20);
});

test("sends a silent entry again, and after its last attempt counts it as lost", () => {
  const { frontier } = opened();
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    expect(frontier.next()?.attempts).toBe(attempt);
    expect(frontier.expireLease().map(({ url }) => url)).toEqual(attempt < MAX_ATTEMPTS ? [] : [START]);
  }
  expect(frontier.finished()).toEqual(["1"]);
});

test("a visit without a request does not count as an attempt", () => {
  const { frontier } = opened();
  for (let visit = 0; visit < 10; visit++) {
    const entry = frontier.next()!;
    expect(entry.attempts).toBe(1);
    frontier.take(entry);
    frontier.postpone(entry, entry.attempts - 1);
  }
});

test("giving up ends open entries but not the entry on its way, and counts pages", () => {
  const { frontier } = opened();
  frontier.addPages("1", [page("b"), page("c")], everything);
  frontier.addSitemaps("1", [page("map.xml"), page("more.xml")], everything);
  const sent = frontier.next()!;
  expect([...frontier.giveUp()]).toEqual([["1", 3]]);
  expect(frontier.finished()).toEqual([]);
  frontier.complete(sent);
  expect(frontier.finished()).toEqual(["1"]);
});

test("a restart at any point changes nothing", () => {
  const step = record({
    act: constantFrom("begin", "release", "add", "map", "next", "take", "postpone", "complete", "expire", "giveUp", "forget", "restart"),
    crawl: constantFrom("1", "2"),
    path: constantFrom("docs/", "b", "c", "map.xml"),
  });
  assert(
    property(array(step, { maxLength: 60 }), (steps) => {
      const [store, mirror] = [memoryStore(), new Frontier(memoryStore())];
      let frontier = new Frontier(store);
      for (const { act, crawl: id, path } of steps) {
        const entry = { crawl: id, url: page(path) };
        const perform = (on: Frontier): unknown => {
          if (act === "begin") return on.begin(crawl(id));
          if (act === "release") return on.release(start(id), "open");
          if (act === "add") return on.addPages(id, [entry.url], everything);
          if (act === "map") return on.addSitemaps(id, [entry.url], everything);
          if (act === "next") return on.next();
          if (act === "take") return on.take(entry);
          if (act === "postpone") return on.postpone(entry, 0);
          if (act === "complete") return on.complete(entry);
          if (act === "expire") return on.expireLease();
          if (act === "giveUp") return [...on.giveUp()];
          if (act === "forget") return on.forget(id);
          return null;
        };
        if (act === "restart") frontier = new Frontier(store);
        expect(perform(frontier)).toEqual(perform(mirror));
        const onTheirWay = [...store.entries.values()].filter(({ state }) => state === "sent" || state === "taken");
        expect(onTheirWay.length).toBeLessThanOrEqual(1);
        expect(new Set(frontier.finished())).toEqual(new Set(mirror.finished()));
      }
    }),
  );
});
