/** Feeds from the fetch to the corpus: full texts become documents, summaries lead to their pages, nothing else is fetched. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../../scripts/local/workers.ts";
import { notFound, openWeb, page, prose, stored, type Site } from "./web.ts";

const recorded = (name: string) => readFileSync(join(ROOT, "tests/pipeline/fixtures/feeds", name));
const feed = (name: string, type: string, headers: Record<string, string> = {}) =>
  new Response(recorded(name), { headers: { "content-type": type, ...headers } });

const weblog: Site = (path) => {
  if (path === "/feed/") return feed("weblog.rss.xml", "application/rss+xml; charset=UTF-8");
  if (path === "/2026/11/summary/") return page(`${prose("the market")}<a href="/unlinked">l</a>`);
  return path === "/2026/11/cut/" ? page(prose("the whole text")) : notFound();
};
const journal: Site = (path, headers) => {
  // Served with a wrong Content-Type, as by many servers, and only if the client's copy is old.
  if (path === "/atom.xml")
    return headers.get("if-none-match") === '"1"'
      ? new Response(null, { status: 304, headers: { etag: '"1"' } })
      : feed("journal.atom.xml", "text/html", { etag: '"1"' });
  return path === "/notes/3" ? page(prose("ailleurs")) : notFound();
};

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb({
    "weblog.com": weblog,
    "journal.com": journal,
    "notes.com": (path) =>
      path === "/feed.json" ? feed("notes.feed.json", "application/feed+json") : path === "/3" ? page(prose("three")) : notFound(),
    "reserved.com": (path) =>
      path === "/feed/" ? feed("weblog.rss.xml", "application/rss+xml", { "content-signal": "ai-train=no" }) : notFound(),
  });
});
afterAll(() => web.close());

const crawlFeed = (url: string) => web.crawl(url, { kind: "feed", scope: "path" });

test("RSS: keeps full texts, follows summaries and cut texts, and refuses entries of other hosts", async () => {
  const crawl = await crawlFeed("http://weblog.com/feed/");
  expect(crawl).toMatchObject({ documents: 3, skipped: { "left-host": 1, address: 1 } });
  const documents = await stored(web, crawl.source);
  expect(documents.map(({ url, title, lang, licence }) => [url, title, lang, licence])).toEqual([
    ["http://weblog.com/2026/11/boats/", "Boats – and nets", "en-GB", "https://creativecommons.org/licenses/by/4.0/"],
    ["http://weblog.com/2026/11/summary/", "t", "", ""],
    ["http://weblog.com/2026/11/cut/", "t", "", ""],
  ]);
  const boats = documents[0]!.text;
  expect(boats).toMatch(/^The boat is told here .* number 4\.\n+knot\(a,\n {5}b\)\n+The net .* Fish & chips\.$/s);
  // No sitemap, no link in an article, and no other host was fetched.
  expect(web.asked("weblog.com")).toEqual(["/robots.txt", "/feed/", "/2026/11/summary/", "/2026/11/cut/"]);
  expect(web.asked("elsewhere.com")).toEqual([]);
});

test("Atom: reads XHTML and escaped HTML in the feed's declared charset, and does not read an unchanged feed again", async () => {
  const crawl = await crawlFeed("http://journal.com/atom.xml");
  expect(crawl).toMatchObject({ documents: 3, skipped: {} });
  const documents = await stored(web, crawl.source);
  expect(documents.map(({ url, title, lang, licence }) => [url, title, lang, licence])).toEqual([
    ["http://journal.com/notes/1", "Café & thé", "fr", "https://creativecommons.org/publicdomain/zero/1.0/"],
    ["http://journal.com/notes/2", "A plain &bomb; title", "en", ""],
    ["http://journal.com/notes/3", "t", "", ""],
  ]);
  expect(documents[0]!.text).toMatch(/^Le café noir is told .*\n+un\n+deux$/s);
  expect(documents[1]!.text).toMatch(/1 < 2\.$/);
  expect(await crawlFeed("http://journal.com/atom.xml")).toMatchObject({ fetched: 2, unchanged: 1, documents: 0, duplicates: 1 });
});

test("JSON Feed: reads HTML and text, and follows a summary", async () => {
  const crawl = await crawlFeed("http://notes.com/feed.json");
  expect(crawl).toMatchObject({ documents: 3, skipped: { address: 1 } });
  const documents = await stored(web, crawl.source);
  expect(documents.map(({ url, title, lang }) => [url, title, lang])).toEqual([
    ["http://notes.com/1", "Erste Notiz", "de"],
    ["http://notes.com/2", "Plain", "en"],
    ["http://notes.com/3", "t", ""],
  ]);
  expect(documents[1]!.text).toMatch(/1 < 2 & more\.$/);
});

test("a feed that its owner reserves gives nothing and is not followed", async () => {
  const crawl = await crawlFeed("http://reserved.com/feed/");
  expect(crawl).toMatchObject({ documents: 0, skipped: { "ai-train=no": 1 } });
  expect(web.asked("reserved.com")).toEqual(["/robots.txt", "/feed/"]);
});
