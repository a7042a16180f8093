/**
 * POST /trace: reads the indexes of the active model's training text by ranges from the bucket. Nothing is held in memory between
 * requests except the directories of the indexes and the last lists of documents.
 */
import {
  checkpointSchema,
  datasetSchema,
  traceDocumentsSchema,
  traceKey,
  traceSchema,
  type Dataset,
  type Hash,
  type ObjectKind,
  type Trace,
  type TraceDocument,
} from "../../shared/artifacts.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import { textOf } from "../../shared/bytes/text-of.ts";
import type { Traced } from "../../shared/contracts/trace.ts";
import { namedError } from "../../shared/errors.ts";
import { pretrainingOf } from "../../shared/lessons/pretraining.ts";
import { getJson, getObject, getObjectRange, parseJson } from "../../shared/store.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import { DIRECTORY_BYTES, lookUp, rangesOf } from "../../shared/trace/index-file.ts";
import { findPassages, type Corpus, type Passage } from "../../shared/trace/spans.ts";
import type { LoadedModel } from "./model.ts";

/** A read of the bucket costs as much time as so many bytes. */
const JOINED_BYTES = 256 * 1024;
/** Directories and lists of documents. */
const CACHE_BYTES = 4 * 1024 * 1024;
const MAX_DOCUMENTS = 5;
const MAX_PASSAGES = 20;

interface Indexed {
  dataset: Dataset;
  trace: Trace;
}

const cache = new RecentBytes(CACHE_BYTES);
let last: { model: Hash; indexed: Indexed } | null = null;

/** The passages of a text. Throws NotFound if the active model's training text has no index. */
export async function traceText({ ARTIFACTS }: GeneratorEnv, model: LoadedModel, text: string): Promise<Traced> {
  const given = text.toWellFormed();
  const indexed = last?.model === model.hash ? last.indexed : await indexedOf(ARTIFACTS, model.hash);
  last = { model: model.hash, indexed };
  const { tokenizer } = model;
  const ids = tokenizer.encode(given);
  const passages = await findPassages(corpusOf(ARTIFACTS, indexed, model), ids);
  return { model: model.hash, text: given, passages: await described(ARTIFACTS, indexed, passages, tokenizer.decodeBytes(ids)) };
}

async function indexedOf(bucket: R2Bucket, model: Hash): Promise<Indexed> {
  const hash = await pretrainingOf(bucket, await getJson(bucket, "checkpoint", model, checkpointSchema));
  const record = hash === null ? null : await bucket.get(traceKey(hash));
  if (hash === null || record === null)
    throw namedError("NotFound", "model: expected one whose corpus was indexed, got one without: train a model on a corpus");
  return { dataset: await getJson(bucket, "dataset", hash, datasetSchema), trace: parseJson(await record.arrayBuffer(), traceSchema) };
}

/** The bytes of an object from `start` to before `end`. */
async function readRange(bucket: R2Bucket, kind: ObjectKind, hash: Hash, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  return (await getObjectRange(bucket, kind, hash, undefined, { offset: start, length: end - start })).bytes;
}

async function cached(name: string, read: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Uint8Array<ArrayBuffer>> {
  const known = cache.get(name);
  if (known !== undefined) return known;
  const bytes = await read();
  cache.keep(name, bytes);
  return bytes;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>) => new DataView(buffer, byteOffset, byteLength);

function corpusOf(bucket: R2Bucket, { dataset, trace }: Indexed, { tokenizer }: LoadedModel): Corpus {
  return {
    places: (fingerprints, most) =>
      Promise.all(
        trace.indexes.map(async (index, shard) => {
          const directory = await cached(index, () => readRange(bucket, "trace-index", index, 0, DIRECTORY_BYTES));
          const ranges = rangesOf(viewOf(directory), fingerprints, JOINED_BYTES);
          const entries = await Promise.all(
            ranges.map(async ({ start, end }) => viewOf(await readRange(bucket, "trace-index", index, start, end))),
          );
          return { shard, indexes: fingerprints.map((fingerprint) => entries.flatMap((view) => lookUp(view, fingerprint, most))) };
        }),
      ),
    async tokens(shard, start, end) {
      const entry = dataset.train[shard]!;
      const bytes = await readRange(bucket, "token-shard", entry.hash, 2 * start, 2 * Math.min(end, entry.tokens));
      return { first: start, ids: decodeTokenShard(bytes) };
    },
    bytesOf: (ids) => tokenizer.decodeBytes(ids),
    endOfText: tokenizer.endOfText,
  };
}

/** Passages that are not part of longer ones, with their documents. */
async function described(bucket: R2Bucket, indexed: Indexed, passages: readonly Passage[], bytes: Uint8Array): Promise<Traced["passages"]> {
  const found: { passage: Passage; places: Passage[] }[] = [];
  for (const passage of passages) {
    const around = found.find(({ passage: longer }) => longer.start <= passage.start && passage.end <= longer.end);
    if (around === undefined) found.push({ passage, places: [passage] });
    else if (around.passage.start === passage.start && around.passage.end === passage.end) around.places.push(passage);
  }
  const shown = found.slice(0, MAX_PASSAGES).map(({ passage, places }) => ({ passage, places: places.slice(0, MAX_DOCUMENTS) }));
  const documents = await documentsAt(
    bucket,
    indexed,
    shown.flatMap(({ places }) => places),
  );
  const units = (length: number) => textOf(bytes.subarray(0, length)).length;
  return shown.map(({ passage: { start, end, tokens }, places }) => {
    const [from, to] = wholeCharacters(bytes, start, end);
    const named = places.flatMap((place) => documents.get(place) ?? []);
    return {
      start: units(from),
      end: units(to),
      text: textOf(bytes.subarray(from, to)),
      tokens,
      documents: [...new Map(named.map(({ url, title, licence }) => [url, { url, title, licence }])).values()],
    };
  });
}

/** Bytes that are equal may end within a character; such a character is left out. */
function wholeCharacters(bytes: Uint8Array, start: number, end: number): [number, number] {
  const isInside = (at: number) => at < bytes.length && (bytes[at]! & 0xc0) === 0x80;
  let [from, to] = [start, end];
  while (from < to && isInside(from)) from++;
  while (to > from && isInside(to)) to--;
  return [from, to];
}

/** The documents of some places. Reads each list of documents once. */
async function documentsAt(
  bucket: R2Bucket,
  { dataset, trace }: Indexed,
  places: readonly Passage[],
): Promise<ReadonlyMap<Passage, TraceDocument>> {
  const located = places.map((place) => ({
    place,
    token: dataset.train.slice(0, place.shard).reduce((sum, { tokens }) => sum + tokens, place.at),
  }));
  const byList = Map.groupBy(located, ({ token }) => trace.documents.findLast(({ start }) => start <= token)?.list);
  const documents = new Map<Passage, TraceDocument>();
  await Promise.all(
    Array.from(byList, async ([list, ofList]) => {
      if (list === undefined) return;
      const bytes = await cached(list, async () => new Uint8Array(await getObject(bucket, "trace-documents", list)));
      const starts = parseJson(bytes, traceDocumentsSchema).documents;
      for (const { place, token } of ofList) {
        const document = starts.findLast(({ start }) => start <= token);
        if (document !== undefined) documents.set(place, document);
      }
    }),
  );
  return documents;
}
