/** What the corpus in workerd keeps when a write fails midway: a trigger in the catalog's database refuses it, until it is dropped. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { snapshotSchema, type Snapshot } from "../../../shared/artifacts.ts";
import { getJson, sha256 } from "../../../shared/store.ts";
import { visitDocuments } from "../../../workers/tokenizer/segments.ts";
import { openWeb } from "./web.ts";

/** More than half of what a segment gathers, and within a row. */
const HALF_SEGMENT = 600_000;

let web: Awaited<ReturnType<typeof openWeb>>;
let source: string;
beforeEach(async () => {
  web = await openWeb({});
  source = (await web.addSource("http://a.com/")).id;
});
afterEach(() => web.close());

const catalogOf = async () => (await web.worker.getEnv()).CATALOG.getByName("catalog");
const exec = async (query: string) => (await web.worker.getDurableObjectStorage("CATALOG", { name: "catalog" })).exec(query);
/** Lets no segment be listed, or no manifest be written: its number is taken in the turn before. */
const refuse = (table: "segments" | "manifests") =>
  exec(`CREATE TRIGGER refusal BEFORE INSERT ON ${table} BEGIN SELECT RAISE(FAIL, 'refused by the test'); END`);
const relent = () => exec("DROP TRIGGER refusal");

async function append(crawl: string, path: string, text: string) {
  const hash = await sha256(new TextEncoder().encode(text));
  const rest = { title: "", lang: "", licence: "", fetchedAt: "" };
  return (await catalogOf()).append(crawl, { id: hash, url: `http://a.com/${path}`, text, source, sha256: hash, ...rest });
}

const keep = (path: string, text: string) => append("none", path, text);
const snapshot = async () => (await web.collector.snapshot({})).hash;

/** What all segments in the bucket hold together, whether listed or not. */
async function segmentTexts(): Promise<string[]> {
  const { CORPUS } = await web.worker.getEnv();
  const { objects } = await CORPUS.list({ prefix: "segments/" });
  const hashes = objects.map(({ key }) => ({ hash: key.split("/")[1]!.split(".")[0]!, documents: 1, bytes: 1 }));
  return textsOf({ format: 1, segments: hashes, superseded: [] });
}

async function textsOf(list: Snapshot): Promise<string[]> {
  const { CORPUS } = await web.worker.getEnv();
  const texts: string[] = [];
  await visitDocuments(CORPUS, list, { segment: 0, document: 0 }, Infinity, ({ text }) => texts.push(text));
  return texts;
}

const read = async (hash: string) => textsOf(await getJson((await web.worker.getEnv()).CORPUS, "snapshot", hash, snapshotSchema));

test("a removal that failed midway is completed by its repetition, for older snapshots too", async () => {
  await keep("kept", "kept");
  await keep("taken", "taken");
  const before = await snapshot();
  await refuse("manifests");
  await expect(async () => web.collector.removeUrl("http://a.com/taken")).rejects.toThrow("refused by the test");
  await relent();
  await web.collector.removeUrl("http://a.com/taken");
  expect(await segmentTexts()).toEqual(["kept"]);
  expect([await read(before), await read(await snapshot())]).toEqual([["kept"], ["kept"]]);
});

test("a segment that could not be listed is listed by the next flush, or leaves nothing behind", async () => {
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
  expect(await web.collector.removeUrl("http://a.com/taken")).toEqual({ removed: 1 });
  expect(await segmentTexts()).toEqual(["first"]);
  expect(await read(await snapshot())).toEqual(["first"]);
});

test("a text is removed by each address that has it, and by the second one after a failure, too", async () => {
  await keep("old", "moved");
  await keep("new", "moved");
  await keep("other", "other");
  await snapshot();
  await refuse("manifests");
  await expect(async () => web.collector.removeUrl("http://a.com/new")).rejects.toThrow("refused by the test");
  await relent();
  await web.collector.removeUrl("http://a.com/new");
  expect(await segmentTexts()).toEqual(["other"]);
  expect([await keep("old", "moved"), await keep("new", "moved")]).toEqual(["duplicate", "removed"]);
  expect(await web.collector.snapshot({})).toMatchObject({ documents: 1, bytes: "other".length });
});

test("open documents are found without a look at those that are written", async () => {
  await catalogOf();
  await keep("a", "a");
  const plan = await exec("EXPLAIN QUERY PLAN SELECT SUM(bytes) AS bytes FROM documents WHERE source = 's' AND json IS NOT NULL");
  expect(JSON.stringify(plan)).toContain("USING INDEX documents_open");
});

test("a document counts as stored although the segment that it filled could not be listed", async () => {
  const catalog = await catalogOf();
  const { crawl } = await catalog.openCrawl(source);
  await refuse("manifests");
  expect(await append(crawl.id, "1", "a".repeat(HALF_SEGMENT))).toBe("stored");
  expect(await append(crawl.id, "2", "b".repeat(HALF_SEGMENT))).toBe("stored");
  expect(await catalog.crawl(crawl.id)).toMatchObject({ fetched: 2, documents: 2, failed: 0 });
  await relent();
  // The next flush writes the manifest that is due, though it has no text to write.
  expect(await web.collector.snapshot({})).toMatchObject({ documents: 2 });
  const { CORPUS } = await web.worker.getEnv();
  const { objects } = await CORPUS.list({ prefix: `sources/${source}/` });
  const manifest = await (await CORPUS.get(objects.at(-1)!.key))!.json<{ segments: { documents: number }[] }>();
  expect(manifest.segments).toMatchObject([{ documents: 2 }]);
});
