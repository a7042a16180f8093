/** Uploaded files, from their bytes to the corpus: formats (found by the content), addresses, replacement and removal. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Crawl } from "../../../shared/contracts/sources.ts";
import { openWeb, stored } from "./web.ts";

let web: Awaited<ReturnType<typeof openWeb>>;
beforeAll(async () => {
  web = await openWeb({});
});
afterAll(() => web.close());

interface UploadCalls {
  upload(request: object, bytes: Uint8Array): Promise<Crawl>;
  exportCorpus(query: object): Promise<ReadableStream<Uint8Array>>;
}

async function upload(collection: string, file: string, content: string | Uint8Array, more: object = {}): Promise<Crawl> {
  const collector = web.collector as unknown as UploadCalls;
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return collector.upload({ collection, file, licence: "", lang: "", ...more }, bytes);
}

const lines = (...documents: unknown[]) => documents.map((document) => `${JSON.stringify(document)}\n`).join("");
const addresses = async ({ source }: Crawl) => (await stored(web, source)).map(({ url, text }) => [url, text]);

test("keeps text and Markdown as they are, in the charset that their bytes show", async () => {
  const markdown = "# A *short* note #\n\nOne line.\n\n```js\n  code();\n```";
  await upload("notes", "a.md", `\n${markdown}\n`, { lang: "en", licence: "CC-BY-4.0" });
  const last = await upload(
    "notes",
    "b.txt",
    Uint8Array.from("Na\xefve.", (char) => char.charCodeAt(0)),
  );
  expect(last).toMatchObject({ state: "done", documents: 1, failed: 0, skipped: {} });
  expect(await stored(web, last.source)).toMatchObject([
    { url: "upload:notes/a.md", text: markdown, title: "A *short* note", lang: "en", licence: "CC-BY-4.0", source: "upload-notes" },
    { url: "upload:notes/b.txt", text: "Naïve.", title: "", lang: "", licence: "" },
  ]);
});

test("reads JSON Lines under any file name, and counts the lines that are not documents", async () => {
  const content = lines(
    { text: "first", url: "https://example.com/1?utm_source=x", title: " One ", language: "de", license: "MIT" },
    { text: "second", extra: 1 },
    { text: " " },
    { content: "no text" },
    { text: "second" },
  );
  const crawl = await upload("set", "data.txt", `\uFEFF${content}{"text": "broken\n`, { licence: "CC0-1.0" });
  expect(crawl).toMatchObject({ fetched: 6, documents: 2, duplicates: 1, skipped: { "too-short": 1, unreadable: 2 } });
  expect(await stored(web, crawl.source)).toMatchObject([
    { url: "https://example.com/1", text: "first", title: "One", lang: "de", licence: "MIT" },
    { url: "upload:set/data.txt#2", text: "second", lang: "", licence: "CC0-1.0" },
  ]);
  expect((await upload("set", "empty", " \n ")).skipped).toEqual({ "too-short": 1 });
});

test("a second upload of a file replaces the documents of this file only", async () => {
  await upload("books", "one", lines({ text: "1 a" }, { text: "1 b" }, { text: "1 c" }));
  const other = await upload("books", "one.more", lines({ text: "2 a" }, { text: "2 b" }));
  expect(await upload("books", "one", lines({ text: "1 a" }, { text: "1 new" }))).toMatchObject({ documents: 1, duplicates: 1 });
  expect((await addresses(other)).map(([, text]) => text).toSorted()).toEqual(["1 a", "1 new", "2 a", "2 b"]);
  await upload("books", "one", "Plain now.");
  expect((await addresses(other)).map(([, text]) => text).toSorted()).toEqual(["2 a", "2 b", "Plain now."]);
});

test("a document is removed for good by its address", async () => {
  const crawl = await upload("secret", "file", lines({ text: "public" }, { text: "private" }));
  expect(await web.collector.removeUrl("upload:secret/file#2")).toEqual({ removed: 1 });
  expect(await addresses(crawl)).toEqual([["upload:secret/file#1", "public"]]);
  expect((await upload("secret", "file", lines({ text: "public" }, { text: "private" }))).skipped).toEqual({ removed: 1 });
  expect(await addresses(crawl)).toEqual([["upload:secret/file#1", "public"]]);
});

test("a file is removed with its parts, also with those of an earlier upload", async () => {
  const three = lines({ text: "part a" }, { text: "part b" }, { text: "part c" });
  await upload("gone", "file", three);
  await upload("gone", "file", lines({ text: "part a" }));
  const other = await upload("gone", "file.more", lines({ text: "other" }));
  expect(await web.collector.removeUrl("upload:gone/file")).toEqual({ removed: 3 });
  expect((await upload("gone", "file", three)).skipped).toEqual({ removed: 3 });
  expect(await addresses(other)).toEqual([["upload:gone/file.more#1", "other"]]);
});

test.each(["jsonl", "warc"])("an export of several segments can be uploaded again (%s)", async (format) => {
  // Each snapshot ends a segment.
  for (const part of ["one", "two"])
    await stored(
      web,
      (await upload("halves", part, lines({ text: `The text of ${part}.`, url: `https://example.com/file#${part}` }))).source,
    );
  const { exportCorpus } = web.collector as unknown as UploadCalls;
  const file = await new Response(await exportCorpus({ format, source: "upload-halves" })).arrayBuffer();
  const crawl = await upload(`whole-${format}`, "file", new Uint8Array(file));
  expect(crawl).toMatchObject({ fetched: 2, duplicates: 2, skipped: {} });
  expect(await addresses(crawl)).toEqual(["one", "two"].map((part) => [`https://example.com/file#${part}`, `The text of ${part}.`]));
});

test("accepts thousands of documents in a file, and crawls nothing for an upload", async () => {
  const many = Array.from({ length: 3000 }, (_, number) => ({ text: `${number} of many` }));
  const crawl = await upload("many", "lines", lines(...many));
  expect(crawl).toMatchObject({ documents: 3000 });
  expect(await web.collector.startCrawls({})).toEqual([]);
  await expect(async () => web.collector.startCrawls({ source: crawl.source })).rejects.toThrow("got an upload");
  expect(web.requests).toEqual([]);
});
