/** Finding documents and pages again: search, one document as it is stored, the log of pages, and a crawl's events. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Document } from "../../../shared/artifacts.ts";
import type { CrawlPages, CrawlPagesQuery, Documents, DocumentsQuery } from "../../../shared/contracts/documents.ts";
import type { Crawl } from "../../../shared/contracts/sources.ts";
import { notFound, openWeb, page, prose, text } from "./web.ts";

interface Calls {
  upload(request: object, bytes: Uint8Array): Promise<Crawl>;
  listDocuments(query: DocumentsQuery): Promise<Documents>;
  getDocument(sha256: string): Promise<Document | null>;
  listPages(id: string, query: CrawlPagesQuery): Promise<CrawlPages | null>;
  crawlEvents(id: string): Promise<ReadableStream<Uint8Array>>;
}

let web: Awaited<ReturnType<typeof openWeb>>;
let collector: Calls;
beforeAll(async () => {
  web = await openWeb({
    "site.com": (path) => {
      if (path === "/")
        return page(`${prose("the front")}<a href="/short">s</a><a href="/gone">g</a><a href="/again">a</a><a href="/copy">c</a>`);
      if (path === "/copy" || path === "/again") return page(prose("the same"));
      return path === "/short" ? text("short") : notFound();
    },
  });
  collector = web.collector as unknown as Calls;
});
afterAll(() => web.close());

const upload = (collection: string, documents: readonly object[]) =>
  collector.upload(
    { collection, file: "all.jsonl", licence: "CC0-1.0", lang: "en" },
    new TextEncoder().encode(documents.map((document) => `${JSON.stringify(document)}\n`).join("")),
  );

test("a document is found by its title or address, and read back from its segment, also after removals", async () => {
  // Each text has 0.4 MB, so the six texts fill several segments.
  const texts = Array.from({ length: 6 }, (_, index) => `${index}: ${String.fromCharCode(97 + index).repeat(400_000)}`);
  await upload(
    "large",
    texts.map((each, index) => ({ text: each, title: `Chapter 100%_${index}` })),
  );
  const { documents } = await collector.listDocuments({ source: "upload-large" });
  expect(documents.map(({ title, bytes }) => [title, bytes])).toEqual(
    texts.map((each, i) => [`Chapter 100%_${i}`, each.length]).toReversed(),
  );
  for (const { sha256, title, url } of documents) {
    const stored = await collector.getDocument(sha256);
    expect(stored).toMatchObject({ sha256, title, url, licence: "CC0-1.0", lang: "en", source: "upload-large" });
    expect(texts[Number(title!.at(-1))]).toBe(stored!.text);
  }
  const titles = async (query: string) => (await collector.listDocuments({ query })).documents.map(({ title }) => title);
  expect(await titles("chapter 100%_3")).toEqual(["Chapter 100%_3"]);
  expect(await titles("100__3")).toEqual([]);
  await web.collector.removeUrl(documents[3]!.url);
  expect(await titles("100%_2")).toEqual([]);
  expect(await collector.getDocument(documents[3]!.sha256)).toBeNull();
  expect((await collector.getDocument(documents[0]!.sha256))!.title).toBe("Chapter 100%_5");
});

test("a crawl's pages are listed with what became of them, newest first, and its events end with it", async () => {
  const crawl = await web.crawl("http://site.com/");
  const pages = async (query: CrawlPagesQuery) =>
    (await collector.listPages(crawl.id, query))!.pages.map(({ url, verdict, reason }) => [url, verdict, reason]);
  expect((await pages({})).toSorted()).toEqual([
    ["http://site.com/", "kept", null],
    ["http://site.com/again", "kept", null],
    ["http://site.com/copy", "duplicate", null],
    ["http://site.com/gone", "refused", "status-404"],
    ["http://site.com/short", "refused", "too-short"],
  ]);
  expect(await pages({ verdict: "kept" })).toEqual([
    ["http://site.com/again", "kept", null],
    ["http://site.com/", "kept", null],
  ]);
  expect(await collector.listPages("none", {})).toBeNull();
  const [event, rest] = (await new Response(await collector.crawlEvents(crawl.id)).text()).split("\n\n");
  expect(rest).toBe("");
  expect(JSON.parse(event!.split("data: ")[1]!)).toEqual(crawl);
  const unknown = async () => await collector.crawlEvents("none");
  await expect(unknown()).rejects.toThrow("crawl: expected the id of a crawl, got none");
});
