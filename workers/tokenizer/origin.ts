/** Counts the documents of a dataset by web site, licence and language, for the model cards of the models that learn from it. */
import { originKey, originSchema, type Document, type Hash, type Origin, type OriginSource } from "../../shared/artifacts.ts";
import { putRecord } from "../../shared/store.ts";

/** A crawl of many sites must not fill the state of the encoder. The documents of further sites are counted under an empty name. */
const MAX_SOURCES = 1000;

const DAY_LENGTH = "2026-11-23".length;

const keyOf = ({ site, licence, lang }: Pick<OriginSource, "site" | "licence" | "lang">) => JSON.stringify([site, licence, lang]);

/** The host of a page; an upload has no host, so its collection counts. */
function siteOf({ url, source }: Document): string {
  const host = URL.canParse(url) ? new URL(url).host : "";
  return host === "" ? source : host;
}

/** Adds documents of a dataset to counts. `documents` are pairs of a document and its UTF-8 bytes. */
export function addToSources(sources: readonly OriginSource[], documents: readonly (readonly [Document, number])[]): OriginSource[] {
  const counts = new Map(sources.map((source) => [keyOf(source), source]));
  for (const [document, bytes] of documents) {
    const { licence, lang, fetchedAt } = document;
    const named = { site: siteOf(document), licence, lang };
    const group = counts.has(keyOf(named)) || counts.size < MAX_SOURCES ? named : { site: "", licence: "", lang: "" };
    const day = fetchedAt.slice(0, DAY_LENGTH);
    const known = counts.get(keyOf(group)) ?? { ...group, documents: 0, bytes: 0, firstRetrieved: day, lastRetrieved: day };
    counts.set(keyOf(group), {
      ...known,
      documents: known.documents + 1,
      bytes: known.bytes + bytes,
      firstRetrieved: day < known.firstRetrieved ? day : known.firstRetrieved,
      lastRetrieved: day > known.lastRetrieved ? day : known.lastRetrieved,
    });
  }
  return [...counts.values()];
}

/** Stores the origin of a dataset. A dataset made again from another snapshot has the origin of the newest snapshot. */
export async function putOrigin(bucket: R2Bucket, dataset: Hash, origin: Origin): Promise<void> {
  await putRecord(bucket, originKey(dataset), originSchema.parse(origin));
}
