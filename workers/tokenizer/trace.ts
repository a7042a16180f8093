/** Makes what POST /trace searches: an index per training shard, and the documents in the order of their tokens. */
import type { z } from "zod";
import {
  traceKey,
  traceSchema,
  type Document,
  type Hash,
  type TokenShardEntry,
  type Trace,
  type TraceDocument,
  type TraceDocuments,
  type traceStateSchema,
} from "../../shared/artifacts.ts";
import { putJson, putObject, putRecord } from "../../shared/store.ts";
import { getTokenShard } from "../../shared/tokenizer/stored-shards.ts";
import { encodeIndex } from "../../shared/trace/index-file.ts";

type TraceState = z.infer<typeof traceStateSchema>;

/** A title is shown beside its address, so its start is enough. */
const MAX_TITLE = 200;

export function traceDocument({ url, title, licence }: Document, start: number): TraceDocument {
  return { start, url, title: title.slice(0, MAX_TITLE).toWellFormed(), licence };
}

/** Stores the documents of a step. */
export async function addDocuments(bucket: R2Bucket, state: TraceState, documents: TraceDocument[]): Promise<TraceState> {
  const [first] = documents;
  if (first === undefined) return state;
  const list = await putJson(bucket, "trace-documents", { format: 1, documents } satisfies TraceDocuments);
  return { ...state, documents: [...state.documents, { start: first.start, list }] };
}

/** Indexes the first shard that has no index. */
export async function indexShard(bucket: R2Bucket, state: TraceState, shards: readonly TokenShardEntry[]): Promise<TraceState> {
  const shard = shards[state.indexes.length];
  if (shard === undefined) return state;
  const tokens = await getTokenShard(bucket, shard.hash);
  return { ...state, indexes: [...state.indexes, await putObject(bucket, "trace-index", encodeIndex(tokens))] };
}

/** Stores the record of a dataset. A dataset made again from another snapshot has the documents of the newest snapshot. */
export async function putTrace(bucket: R2Bucket, dataset: Hash, trace: Trace): Promise<void> {
  await putRecord(bucket, traceKey(dataset), traceSchema.parse(trace));
}
