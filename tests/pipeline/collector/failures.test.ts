/** What the corpus in workerd keeps when a write fails midway: a trigger in the catalog's database refuses it, until it is dropped. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { sha256 } from "../../../shared/store.ts";
import { openWeb } from "./web.ts";

/** More than half of what a segment gathers, and within a row. */
const HALF_SEGMENT = 600_000;

let web: Awaited<ReturnType<typeof openWeb>>;
beforeEach(async () => {
  web = await openWeb({});
});
afterEach(() => web.close());

const catalogOf = async () => (await web.worker.getEnv()).CATALOG.getByName("catalog");
const exec = async (query: string) => (await web.worker.getDurableObjectStorage("CATALOG", { name: "catalog" })).exec(query);
/** Lets no manifest be written: its number is taken in the turn before. */
const refuseManifests = () =>
  exec("CREATE TRIGGER refusal BEFORE INSERT ON manifests BEGIN SELECT RAISE(FAIL, 'refused by the test'); END");
const takeManifests = () => exec("DROP TRIGGER refusal");

async function append(crawl: string, source: string, url: string, text: string) {
  const hash = await sha256(new TextEncoder().encode(text));
  const rest = { title: "", lang: "", licence: "", fetchedAt: "" };
  return (await catalogOf()).append(crawl, { id: hash, url, text, source, sha256: hash, ...rest });
}

test("a document counts as stored although the segment that it filled could not be listed", async () => {
  const catalog = await catalogOf();
  const { crawl } = await catalog.openCrawl("s");
  await refuseManifests();
  expect(await append(crawl.id, "s", "http://a.com/1", "a".repeat(HALF_SEGMENT))).toBe("stored");
  expect(await append(crawl.id, "s", "http://a.com/2", "b".repeat(HALF_SEGMENT))).toBe("stored");
  expect(await catalog.crawl(crawl.id)).toMatchObject({ fetched: 2, documents: 2, failed: 0 });
  await takeManifests();
  expect(await web.collector.snapshot({})).toMatchObject({ documents: 2 });
});
