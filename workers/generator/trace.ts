/**
 * POST /trace: reads the indexes of the active model's training text by ranges from the bucket. Nothing is held in memory between
 * requests except the directories of the indexes and the last lists of documents.
 */
import {
  checkpointSchema,
  datasetSchema,
  objectKey,
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
import type { Traced } from "../../shared/contracts/trace.ts";
import { namedError } from "../../shared/errors.ts";
import { getJson, getObject, parseJson } from "../../shared/store.ts";
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

/** Lessons are learned after a corpus, whose dataset their own names. */
async function indexedOf(bucket: R2Bucket, model: Hash): Promise<Indexed> {
  const checkpoint = await getJson(bucket, "checkpoint", model, checkpointSchema);
  const own = checkpoint.dataset;
  const first =
    own === null || (await bucket.head(objectKey("dataset", own))) === null ? null : await getJson(bucket, "dataset", own, datasetSchema);
  const hash = first?.kind === "sft" ? (first.replay ?? null) : own;
  const record = hash === null || first === null ? null : await bucket.get(traceKey(hash));
  if (hash === null || first === null || record === null)
    throw namedError("NotFound", "model: expected one whose corpus was indexed, got one without: train a model on a corpus");
  const dataset = first.kind === "sft" ? await getJson(bucket, "dataset", hash, datasetSchema) : first;
  return { dataset, trace: parseJson(await record.arrayBuffer(), traceSchema) };
}

async function readRange(bucket: R2Bucket, kind: ObjectKind, hash: Hash, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  const object = await bucket.get(objectKey(kind, hash), { range: { offset: start, length: end - start } });
  if (object === null) throw namedError("MissingObject", `${kind} ${hash}: expected an object, found none`);
  return new Uint8Array(await object.arrayBuffer());
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
  const shown: { passage: Passage; places: Passage[] }[] = [];
  for (const passage of passages) {
    const around = shown.find(({ passage: longer }) => longer.start <= passage.start && passage.end <= longer.end);
    if (around === undefined) shown.push({ passage, places: [passage] });
    else if (around.passage.start === passage.start && around.passage.end === passage.end) around.places.push(passage);
  }
  return Promise.all(
    shown.slice(0, MAX_PASSAGES).map(async ({ passage: { start, end, tokens }, places }) => {
      const documents = new Map<string, TraceDocument>();
      for (const place of places.slice(0, MAX_DOCUMENTS)) {
        const document = await documentAt(bucket, indexed, place);
        if (document !== null) documents.set(document.url, document);
      }
      const [from, to] = wholeCharacters(bytes, start, end);
      const units = (length: number) =>
        new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes.subarray(0, length)).length;
      return {
        start: units(from),
        end: units(to),
        text: new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes.subarray(from, to)),
        tokens,
        documents: [...documents.values()].map(({ url, title, licence }) => ({ url, title, licence })),
      };
    }),
  );
}

/** Bytes that are equal may end within a character; such a character is left out. */
function wholeCharacters(bytes: Uint8Array, start: number, end: number): [number, number] {
  const isInside = (at: number) => at < bytes.length && (bytes[at]! & 0xc0) === 0x80;
  let [from, to] = [start, end];
  while (from < to && isInside(from)) from++;
  while (to > from && isInside(to)) to--;
  return [from, to];
}

async function documentAt(bucket: R2Bucket, { dataset, trace }: Indexed, { shard, at }: Passage): Promise<TraceDocument | null> {
  const token = dataset.train.slice(0, shard).reduce((sum, { tokens }) => sum + tokens, at);
  const entry = trace.documents.findLast(({ start }) => start <= token);
  if (entry === undefined) return null;
  const bytes = await cached(entry.list, async () => new Uint8Array(await getObject(bucket, "trace-documents", entry.list)));
  return parseJson(bytes, traceDocumentsSchema).documents.findLast(({ start }) => start <= token) ?? null;
}
