/** The collector in workerd keeps one record per text. It keeps no reserved page and no removed page. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { documentSchema, snapshotSchema, type Document } from "../../../shared/artifacts.ts";
import { getJson, sha256 } from "../../../shared/store.ts";
import { visitDocuments, type Position } from "../../../workers/tokenizer/segments.ts";
import { notFound, openWeb, page, prose, text, type Site } from "./web.ts";

const latin = (body: string) => Uint8Array.from(body, (char) => char.charCodeAt(0));
const links = (...paths: string[]) => paths.map((path) => `<a href="${path}">l</a>`).join("");
/** Pages by path, behind a robots.txt that allows everything. */
const site =
  (pages: Record<string, () => Response>): Site =>
  (path) =>
    (pages[path] ?? notFound)();

let edition = 0;
const SITES: Record<string, Site> = {
  "many.com": (path) => {
    if (path === "/robots.txt" || path === "/sitemap.xml") return notFound();
    if (path === "/")
      return page(
        prose("home") + links(...Array.from({ length: 20 }, (_, copy) => (copy < 4 ? `/same/${copy}` : `/same/0?sid=${copy}#${copy}`))),
      );
    return page(prose("the one page"));
  },
  "reserved.com": site({
    "/": () => page(prose("home") + links("/meta", "/header", "/signal", "/usage", "/nofollow")),
    "/meta": () => page(`<meta name="robots" content="noindex">${prose("meta")}`),
    "/header": () => page(prose("header"), { "x-robots-tag": "noai" }),
    "/signal": () => page(prose("signal"), { "content-signal": "search=yes, ai-train=no" }),
    "/usage": () => page(prose("usage"), { "content-usage": "train-ai=n" }),
    "/nofollow": () => page(`<meta name="robots" content="nofollow">${prose("nofollow")}${links("/unlinked")}`),
  }),
  "forbidden.com": (path) => (path === "/robots.txt" ? text("User-agent: *\nAllow: /\nContent-Signal: ai-train=no\n") : page(prose(path))),
  "odd.com": site({
    "/": () =>
      page(prose("home") + links("/latin", "/declared", "/late", "/undeclared", "/zero", "/huge", "/deep", "/picture", "/gone", "/plain")),
    "/latin": () => new Response(latin(prose("caf\xe9")), { headers: { "content-type": "text/html; charset=iso-8859-1" } }),
    "/declared": () =>
      new Response(latin(`<meta charset="windows-1252">${prose("na\xefve")}`), { headers: { "content-type": "text/html" } }),
    // The word 中文 in GBK, declared after 2 KB of comments; and windows-1252 without any declaration.
    "/late": () =>
      new Response(latin(`${"<!-- filler -->".repeat(150)}<meta charset=gb2312>${prose("\xd6\xd0\xce\xc4")}`), {
        headers: { "content-type": "text/html" },
      }),
    "/undeclared": () => new Response(latin(prose("\x93quoted\x94")), { headers: { "content-type": "text/html" } }),
    "/zero": () => page(prose("zero\u0000byte")),
    "/huge": () => page("a".repeat(6 * 1024 * 1024)),
    // Deep enough for the limit on nesting. extract.test.ts uses 100,000 levels.
    "/deep": () => page("<div>".repeat(10_000) + prose("deep")),
    "/picture": () => text("no text", "image/png"),
    "/plain": () => text("Plain text. ".repeat(30)),
  }),
  "anchored.com": site({
    "/": () => new Response(null, { status: 302, headers: { location: "/new?sid=1#part" } }),
    "/new?sid=1": () => page(prose("anchored")),
  }),
  "trap.com": site({
    "/": () => new Response(null, { status: 302, headers: { location: "/a/a/a" } }),
    "/a/a/a": () => page(prose("trap")),
  }),
  "reserving.com": site({
    "/": () => new Response("Plain text. ".repeat(30), { headers: { "content-type": "text/plain", "x-robots-tag": "noai" } }),
  }),
  "gone.com": site({}),
  // /news changes with every visit of the home page; /shared first has the same text as /copy, then another text.
  "growing.com": (path) => {
    if (path === "/") {
      edition++;
      return page(prose("growing home") + links("/news", "/shared", "/copy"));
    }
    if (path === "/news") return page(prose(`edition ${edition === 3 ? 1 : edition}`));
    if (path === "/shared") return page(prose(edition === 1 ? "shared" : "moved on"));
    return path === "/copy" ? page(prose("shared")) : notFound();
  },
  "shrinking.com": site({
    "/": () => page(prose("home") + links("/one", "/two", "/three")),
    "/one": () => page(prose("one")),
    "/two": () => page(prose("two")),
    "/three": () => page(prose("three")),
  }),
  "changing.com": site({
    "/": () => page(prose("home") + links("/kept", "/taken")),
    "/kept": () => page(prose("kept")),
    "/taken": () => page(prose("taken")),
  }),
};

/** Stores a document as an earlier crawl did. */
async function keep(source: string, url: string, words: string): Promise<void> {
  const hash = await sha256(new TextEncoder().encode(words));
  const { CATALOG } = await web.worker.getEnv();
  const rest = { title: "", lang: "", licence: "", fetchedAt: "" };
  await CATALOG.getByName("catalog").append("earlier", source, [
    { document: { id: hash, url, text: words, source, sha256: hash, ...rest }, sketch: null, masked: {} },
  ]);
}

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb(SITES);
});
afterAll(() => web.close());

const START: Position = { segment: 0, document: 0 };

/**
 * Reads documents of a snapshot as the tokenizer does, from a position until `budget` bytes are used. Returns the documents
 * and the next position.
 */
async function readFrom(hash: string, from: Position, budget: number): Promise<{ documents: Document[]; at: Position }> {
  const { CORPUS } = await web.worker.getEnv();
  const documents: Document[] = [];
  const snapshot = await getJson(CORPUS, "snapshot", hash, snapshotSchema);
  const at = await visitDocuments(CORPUS, snapshot, from, budget, (document) => documents.push(documentSchema.parse(document)));
  return { documents, at };
}

/** All documents of a snapshot. */
const read = async (hash: string) => (await readFrom(hash, START, Infinity)).documents;

/** The topic of a document made by `prose`. */
const topic = ({ text: words }: Document) => words.split(" is described")[0];
const topics = async (hash: string) => (await read(hash)).map(topic);
const wordsOf = async (source: string) => (await stored(source)).map(({ text: words }) => words).toSorted();
const stored = async (source: string) => read((await web.collector.snapshot({ sources: [source] })).hash);

test.concurrent("keeps one record of a page that has twenty addresses", async () => {
  const crawl = await web.crawl("http://many.com/");
  // Without session ids and fragments, seventeen of the twenty addresses are equal. The other three pages have the same text.
  expect([crawl.fetched, crawl.documents, crawl.duplicates]).toEqual([5, 2, 3]);
  expect((await stored(crawl.source)).map(({ url }) => url)).toEqual(["http://many.com/", "http://many.com/same/0"]);
});

test.concurrent("keeps no page that its owner reserves, and records the reason", async () => {
  const crawl = await web.crawl("http://reserved.com/");
  expect(crawl.skipped).toEqual({ noindex: 2, "ai-train=no": 1, "train-ai=n": 1 });
  expect(crawl.documents).toBe(2);
  expect(web.asked("reserved.com")).not.toContain("/unlinked");
  const forbidden = await web.crawl("http://forbidden.com/");
  expect([forbidden.documents, forbidden.skipped]).toEqual([0, { "ai-train=no": 1 }]);
});

test.concurrent("reads every charset and survives hostile pages", async () => {
  const crawl = await web.crawl("http://odd.com/");
  const texts = (await stored(crawl.source)).map((document) => document.text.slice(0, 12));
  expect(texts).toEqual(
    expect.arrayContaining(["café is desc", "naïve is des", "中文 is descri", "“quoted” is ", "zerobyte is ", "Plain text. "]),
  );
  expect(crawl.skipped).toMatchObject({ "too-large": 1, "content-type": 1, "status-404": 1 });
});

test.concurrent("normalizes the address of a redirected page like any other", async () => {
  const [anchored, trap] = await Promise.all([web.crawl("http://anchored.com/"), web.crawl("http://trap.com/")]);
  expect((await stored(anchored.source)).map(({ url }) => url)).toEqual(["http://anchored.com/new"]);
  expect(await web.collector.removeUrl("http://anchored.com/new#part")).toEqual({ removed: 1 });
  expect(trap.skipped).toEqual({ address: 1 });
});

test.concurrent("a snapshot of some sources has all their texts, even texts that are stored with another source", async () => {
  const [first, second] = [await web.addSource("http://first.com/"), await web.addSource("http://second.com/")];
  await keep(first.id, "http://first.com/", "first's own");
  await keep(first.id, "http://first.com/both", "of both");
  await keep(second.id, "http://second.com/", "of both");
  // The only text of the second source is stored with the first source.
  expect(await wordsOf(second.id)).toEqual(["of both"]);
  await keep(second.id, "http://second.com/more", "second's own");
  await keep(second.id, "http://first.com/", "first's own");
  expect(await wordsOf(second.id)).toEqual(["first's own", "of both", "second's own"]);
  expect(await wordsOf(first.id)).toEqual(["first's own", "of both"]);
  const { documents } = await web.collector.snapshot({ sources: [first.id, second.id] });
  expect(documents).toBe(3);
  await keep(second.id, "http://second.com/", "news of the second");
  expect(await wordsOf(second.id)).toEqual(["first's own", "news of the second", "second's own"]);
  expect(await wordsOf(first.id)).toEqual(["first's own", "of both"]);
});

test.concurrent("drops the text of a page once its owner reserves it, plain text too", async () => {
  const { id } = await web.addSource("http://reserving.com/");
  await keep(id, "http://reserving.com/", "reserving");
  await keep(id, "http://reserving.com/other", "other");
  expect((await web.crawl("http://reserving.com/")).skipped).toEqual({ noindex: 1 });
  expect((await stored(id)).map(({ text: words }) => words)).toEqual(["other"]);
});

test.concurrent("drops the text of a deleted page unless another page has it too", async () => {
  const { id } = await web.addSource("http://gone.com/");
  await keep(id, "http://gone.com/", "gone");
  await keep(id, "http://gone.com/copy", "gone");
  expect((await web.crawl("http://gone.com/")).skipped).toEqual({ "status-404": 1 });
  expect(await stored(id)).toHaveLength(1);
  const { CATALOG } = await web.worker.getEnv();
  await CATALOG.getByName("catalog").withdraw("http://gone.com/copy");
  await expect(stored(id)).rejects.toThrow("expected at least one document");
});

test.concurrent("keeps the latest text of a page that changes, in later snapshots only", async () => {
  const first = await web.crawl("http://growing.com/");
  const before = await web.collector.snapshot({ sources: [first.source] });
  expect(await topics(before.hash)).toEqual(["growing home", "edition 1", "shared"]);

  const second = await web.crawl("http://growing.com/");
  expect([second.documents, second.duplicates]).toEqual([2, 2]);
  const after = await web.collector.snapshot({ sources: [first.source] });
  expect(await topics(after.hash)).toEqual(["growing home", "shared", "edition 2", "moved on"]);
  expect(after.documents).toBe(4);
  expect(await topics(before.hash)).toEqual(["growing home", "edition 1", "shared"]);

  // The page returns to its first text.
  await web.crawl("http://growing.com/");
  const again = await web.collector.snapshot({ sources: [first.source] });
  expect(await topics(again.hash)).toEqual(["growing home", "edition 1", "shared", "moved on"]);
});

test.concurrent("removes a page for good; older snapshots stay readable without the page", async () => {
  const first = await web.crawl("http://changing.com/", { revisitSeconds: 1 });
  const before = await web.collector.snapshot({ sources: [first.source] });
  expect((await read(before.hash)).map(({ url }) => url)).toContain("http://changing.com/taken");

  expect(await web.collector.removeUrl("http://changing.com/taken")).toEqual({ removed: 1 });
  expect(await web.collector.removeUrl("http://changing.com/taken")).toEqual({ removed: 0 });
  expect((await read(before.hash)).map(({ url }) => url)).toEqual(["http://changing.com/", "http://changing.com/kept"]);

  const second = await web.crawl("http://changing.com/");
  expect([second.documents, second.duplicates, second.skipped]).toEqual([0, 2, { removed: 1 }]);
  const after = await web.collector.snapshot({ sources: [first.source] });
  expect((await read(after.hash)).map(({ url }) => url)).toEqual(["http://changing.com/", "http://changing.com/kept"]);
  const { CORPUS } = await web.worker.getEnv();
  const { objects } = await CORPUS.list({ prefix: "segments/" });
  for (const { key } of objects) {
    const segment = await CORPUS.get(key);
    // Another test may have rewritten its own segment since the listing.
    if (segment === null) continue;
    const unpacked = segment.body.pipeThrough(new DecompressionStream("gzip") as never);
    expect(await new Response(unpacked as never).text()).not.toContain("taken");
  }
});

test.concurrent("a reader in the middle of a snapshot misses only removed documents", async () => {
  const { source } = await web.crawl("http://shrinking.com/");
  const { hash } = await web.collector.snapshot({ sources: [source] });
  expect(await topics(hash)).toEqual(["home", "one", "two", "three"]);

  const first = await readFrom(hash, START, 1);
  await web.collector.removeUrl("http://shrinking.com/");
  const second = await readFrom(hash, first.at, 1);
  await web.collector.removeUrl("http://shrinking.com/one");
  const third = await readFrom(hash, second.at, 1);
  // The last document is removed before the reader reaches it.
  await web.collector.removeUrl("http://shrinking.com/three");
  const rest = await readFrom(hash, third.at, 1);
  expect([first, second, third, rest].map(({ documents }) => documents.map(topic))).toEqual([["home"], ["one"], ["two"], []]);
  expect(rest.at).toEqual({ segment: 1, document: 0 });

  expect(await topics(hash)).toEqual(["two"]);
  const after = await web.collector.snapshot({ sources: [source] });
  expect([after.documents, await topics(after.hash)]).toEqual([1, ["two"]]);

  expect(await web.collector.removeUrl("http://shrinking.com/two")).toEqual({ removed: 1 });
  expect(await read(hash)).toEqual([]);
  await expect(async () => web.collector.snapshot({ sources: [source] })).rejects.toThrow("expected at least one document");
});
