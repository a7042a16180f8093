/**
 * The corpus in workerd after a write that failed halfway. A trigger in the catalog's database refuses the write until the
 * trigger is dropped.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { snapshotSchema, type Snapshot } from "../../../shared/artifacts.ts";
import { getJson, sha256 } from "../../../shared/store.ts";
import { visitDocuments } from "../../../workers/tokenizer/segments.ts";
import { openWeb } from "./web.ts";

/** More than half a segment, but small enough for a row. */
const HALF_SEGMENT = 600_000;

let web: Awaited<ReturnType<typeof openWeb>>;
/** Each test uses only its own source and its own texts (`own`). */
let host = "";
let hosts = 0;
let source: string;
beforeAll(async () => {
  web = await openWeb({});
});
beforeEach(async () => {
  host = `http://test-${++hosts}.com`;
  source = (await web.addSource(`${host}/`)).id;
});
afterAll(() => web.close());

const catalogOf = async () => (await web.worker.getEnv()).CATALOG.getByName("catalog");
const exec = async (query: string) => (await web.worker.getDurableObjectStorage("CATALOG", { name: "catalog" })).exec(query);
/** Refuses the rows that list segments or number manifests. A manifest is numbered just before it is written. */
const refuse = (table: "segments" | "manifests") =>
  exec(`CREATE TRIGGER refusal BEFORE INSERT ON ${table} BEGIN SELECT RAISE(FAIL, 'refused by the test'); END`);
const relent = () => exec("DROP TRIGGER refusal");

const own = (words: string) => `${host} ${words}`;

async function append(crawl: string, path: string, words: string) {
  const text = own(words);
  const hash = await sha256(new TextEncoder().encode(text));
  const rest = { title: "", lang: "", licence: "", fetchedAt: "" };
  const document = { id: hash, url: `${host}/${path}`, text, source, sha256: hash, ...rest };
  return (await (await catalogOf()).append(crawl, source, [{ document, sketch: null, masked: {} }]))[0];
}

const keep = (path: string, words: string) => append("none", path, words);
const snapshot = async () => (await web.collector.snapshot({})).hash;
/** A snapshot of only this test's source. */
const ownSnapshot = () => web.collector.snapshot({ sources: [source] });

/** Reads every segment object in the bucket, also segments that the catalog does not list. Returns the texts of this test's source. */
async function segmentTexts(): Promise<string[]> {
  const { CORPUS } = await web.worker.getEnv();
  const { objects } = await CORPUS.list({ prefix: "segments/" });
  const hashes = objects.map(({ key }) => ({ hash: key.split("/")[1]!.split(".")[0]!, documents: 1, bytes: 1 }));
  return textsOf({ format: 1, segments: hashes, superseded: [] });
}

async function textsOf(list: Snapshot): Promise<string[]> {
  const { CORPUS } = await web.worker.getEnv();
  const texts: string[] = [];
  await visitDocuments(CORPUS, list, { segment: 0, document: 0 }, Infinity, (document) => {
    if (document.source === source) texts.push(document.text.slice(own("").length));
  });
  return texts;
}

const read = async (hash: string) => textsOf(await getJson((await web.worker.getEnv()).CORPUS, "snapshot", hash, snapshotSchema));

test("repeating a removal that failed halfway completes it, for older snapshots too", async () => {
  await keep("kept", "kept");
  await keep("taken", "taken");
  const before = await snapshot();
  await refuse("manifests");
  await expect(async () => web.collector.removeUrl(`${host}/taken`)).rejects.toThrow("refused by the test");
  await relent();
  await web.collector.removeUrl(`${host}/taken`);
  expect(await segmentTexts()).toEqual(["kept"]);
  expect([await read(before), await read(await snapshot())]).toEqual([["kept"], ["kept"]]);
});

test("a segment that could not be listed is listed by the next flush, or its object is deleted", async () => {
  await refuse("segments");
  await keep("first", "first");
  await expect(snapshot()).rejects.toThrow("refused by the test");
  await relent();
  expect(await read(await snapshot())).toEqual(["first"]);

  await refuse("segments");
  await keep("taken", "taken");
  await expect(snapshot()).rejects.toThrow("refused by the test");
  await relent();
  expect((await segmentTexts()).toSorted()).toEqual(["first", "taken"]);
  expect(await web.collector.removeUrl(`${host}/taken`)).toEqual({ removed: 1 });
  expect(await segmentTexts()).toEqual(["first"]);
  expect(await read(await snapshot())).toEqual(["first"]);
});

test("a text is removed through any of its addresses, even after a failure", async () => {
  await keep("old", "moved");
  await keep("new", "moved");
  await keep("other", "other");
  await snapshot();
  await refuse("manifests");
  await expect(async () => web.collector.removeUrl(`${host}/new`)).rejects.toThrow("refused by the test");
  await relent();
  await web.collector.removeUrl(`${host}/new`);
  expect(await segmentTexts()).toEqual(["other"]);
  expect([await keep("old", "moved"), await keep("new", "moved")]).toEqual(["duplicate", "removed"]);
  expect(await ownSnapshot()).toMatchObject({ documents: 1, bytes: own("other").length });
});

test("the search for open documents does not scan written documents", async () => {
  await catalogOf();
  await keep("a", "a");
  const plan = await exec("EXPLAIN QUERY PLAN SELECT SUM(bytes) AS bytes FROM documents WHERE source = 's' AND json IS NOT NULL");
  expect(JSON.stringify(plan)).toContain("USING INDEX documents_open");
});

test("a document counts as stored even when its full segment could not be listed", async () => {
  const catalog = await catalogOf();
  const { crawl } = await catalog.openCrawl(source);
  await refuse("manifests");
  expect(await append(crawl.id, "1", "a".repeat(HALF_SEGMENT))).toBe("stored");
  expect(await append(crawl.id, "2", "b".repeat(HALF_SEGMENT))).toBe("stored");
  expect(await catalog.crawl(crawl.id)).toMatchObject({ fetched: 2, documents: 2, failed: 0 });
  await relent();
  // The next flush has no text to write, but it writes the manifest that is due.
  expect(await ownSnapshot()).toMatchObject({ documents: 2 });
  const { CORPUS } = await web.worker.getEnv();
  const { objects } = await CORPUS.list({ prefix: `sources/${source}/` });
  const manifest = await (await CORPUS.get(objects.at(-1)!.key))!.json<{ segments: { documents: number }[] }>();
  expect(manifest.segments).toMatchObject([{ documents: 2 }]);
});
