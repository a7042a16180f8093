/**
 * The storage schema: every object that the pipeline keeps in R2, with its key and its type.
 *
 * Objects are immutable, and their name is the sha256 of their bytes. A reader can therefore check the bytes, and a writer can
 * safely write again. Manifests are canonical JSON (sorted keys, no times), so equal content has an equal name. `store.ts` reads
 * and writes objects. The binary layouts are in `tokenizer/token-shard.ts` and `model/formats/safetensors.ts`.
 */
import { z } from "zod";
import { MAX_LABELS, networkConfigSchema } from "./network-config.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** Lower-case hexadecimal sha256 of an object's bytes. */
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
export type Hash = z.infer<typeof hashSchema>;

/** The kinds of objects. The key of an object follows from its kind and its hash. */
export const OBJECT_KINDS = {
  segment: { prefix: "segments", suffix: ".jsonl.gz" },
  snapshot: { prefix: "snapshots", suffix: ".json" },
  "tokenizer-state": { prefix: "tokenizer-states", suffix: ".bin" },
  tokenizer: { prefix: "tokenizers", suffix: ".json" },
  "lesson-set": { prefix: "lessons", suffix: ".json" },
  "pair-set": { prefix: "pair-sets", suffix: ".json" },
  "token-shard": { prefix: "token-shards", suffix: ".bin" },
  dataset: { prefix: "datasets", suffix: ".json" },
  /** The fingerprints of a token shard (trace/index-file.ts), and where its documents begin. */
  "trace-index": { prefix: "trace-indexes", suffix: ".bin" },
  "trace-documents": { prefix: "trace-documents", suffix: ".json" },
  /** Consecutive tensors of a model, an optimizer state or an update, cut by model/formats/partition.ts. */
  part: { prefix: "parts", suffix: ".safetensors" },
  checkpoint: { prefix: "checkpoints", suffix: ".json" },
} as const;
export type ObjectKind = keyof typeof OBJECT_KINDS;

const runSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "expected a run's id");

/**
 * The prefix of all objects of a run. Runs share no objects, so deleting the objects of a run never harms another run.
 * Publishing a model copies its objects to the common keys.
 */
export function runPrefix(run: string): string {
  return `runs/${runSchema.parse(run)}/`;
}

/** The R2 key of an object: below the prefix of `run` if given, else the common key. */
export function objectKey(kind: ObjectKind, hash: Hash, run?: string): string {
  const { prefix, suffix } = OBJECT_KINDS[kind];
  return `${run === undefined ? "" : runPrefix(run)}${prefix}/${hashSchema.parse(hash)}${suffix}`;
}

/** The key of a source's manifest. Each flush writes a new manifest. The number is zero-padded, so a listing sorts by age. */
export function manifestKey(source: string, sequence: number): string {
  return `sources/${source}/manifest-${String(sequence).padStart(8, "0")}.json`;
}

/** The key of the record that names a segment's successor. The collector rewrites a segment when one of its pages is removed. */
export function successorKey(segment: Hash): string {
  return `successors/${hashSchema.parse(segment)}.json`;
}

/** The segment without the removed pages; null when no page is left. The old segment is deleted, so no removed bytes remain. */
export const successorSchema = z.object({ format: z.literal(1), segment: hashSchema.nullable() });

/** One line of a corpus segment, with the field names that FineWeb tools read. The line of a removed document is empty. */
export const documentSchema = z.object({
  id: z.string(),
  url: z.string(),
  text: z.string(),
  title: z.string(),
  lang: z.string(),
  licence: z.string(),
  source: z.string(),
  fetchedAt: z.string(),
  sha256: hashSchema,
});
export type Document = z.infer<typeof documentSchema>;

/** Encodes a document as a line of a segment, with the fields in the schema's order. */
export function encodeDocument(document: Document): string {
  return JSON.stringify(documentSchema.parse(document));
}

/** The entry of a segment in a manifest or a snapshot. */
export const segmentEntrySchema = z.object({
  hash: hashSchema,
  documents: z.int().nonnegative(),
  /** UTF-8 bytes of text before compression. */
  bytes: z.int().nonnegative(),
});
export type SegmentEntry = z.infer<typeof segmentEntrySchema>;

/** The segments of a source after a flush. */
export const sourceManifestSchema = z.object({
  format: z.literal(1),
  source: z.string(),
  sequence: z.int().nonnegative(),
  segments: z.array(segmentEntrySchema),
});
export type SourceManifest = z.infer<typeof sourceManifestSchema>;

/** A fixed list of segments. A tokenizer and a dataset are made from a snapshot. */
export const snapshotSchema = z.object({
  format: z.literal(1),
  segments: z.array(segmentEntrySchema),
  /** Hashes of outdated documents: their pages have changed. Readers skip them. */
  superseded: z.array(hashSchema).default([]),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

/** The key of the record of a dataset's origin. The dataset itself has no origin, so equal tokens have equal datasets. */
export function originKey(dataset: Hash): string {
  return `origins/${hashSchema.parse(dataset)}.json`;
}

/** Documents of one web site (or one uploaded collection) with one licence in one language. Empty text means unknown. */
export const originSourceSchema = z.object({
  site: z.string(),
  licence: z.string(),
  lang: z.string(),
  documents: z.int().nonnegative(),
  /** UTF-8 bytes of text. */
  bytes: z.int().nonnegative(),
  /** Days of the first and the last retrieval, like 2026-11-23. */
  firstRetrieved: z.string(),
  lastRetrieved: z.string(),
});
export type OriginSource = z.infer<typeof originSourceSchema>;

/** Where the documents of a dataset come from. Datasets of earlier versions and of other machines have no such record. */
export const originSchema = z.object({
  format: z.literal(1),
  snapshot: hashSchema,
  /** Outdated documents of the snapshot, which the dataset leaves out. */
  superseded: z.int().nonnegative(),
  sources: z.array(originSourceSchema),
});
export type Origin = z.infer<typeof originSchema>;

/** Documents of a dataset's training text in order, of one step of the encoder. Removed documents stay, like their tokens. */
export const traceDocumentsSchema = z.object({
  format: z.literal(1),
  documents: z.array(
    z.object({
      /** The number of training tokens before the document. */
      start: z.int().nonnegative(),
      url: z.string(),
      title: z.string(),
      licence: z.string(),
    }),
  ),
});
export type TraceDocuments = z.infer<typeof traceDocumentsSchema>;
export type TraceDocument = TraceDocuments["documents"][number];

const traceLists = {
  /** One index per shard of the training text, in the order of the shards. */
  indexes: z.array(hashSchema),
  /** Lists of documents with the start of their first one. */
  documents: z.array(z.object({ start: z.int().nonnegative(), list: hashSchema })),
};

/** What the training text of a dataset is searched with. Datasets of earlier versions and of lessons have no such record. */
export const traceSchema = z.object({ format: z.literal(1), ...traceLists });
export type Trace = z.infer<typeof traceSchema>;
export const traceStateSchema = z.object(traceLists);

/** The key of the record of a dataset's indexes. */
export function traceKey(dataset: Hash): string {
  return `traces/${hashSchema.parse(dataset)}.json`;
}

/** A set of conversations to train on. Each conversation ends with an answer. */
export const lessonSetSchema = z.object({
  format: z.literal(1),
  conversations: z.array(z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() })).min(1)).min(1),
});
export type LessonSet = z.infer<typeof lessonSetSchema>;

/** Pairs of answers that a snapshot of votes became (preferences/derive.ts). */
export const pairSetSchema = z.object({
  format: z.literal(1),
  pairs: z.array(z.object({ messages: lessonSetSchema.shape.conversations.element, better: z.string(), worse: z.string() })).min(1),
});
export type PairSet = z.infer<typeof pairSetSchema>;

/** One uint16 little-endian token file. */
export const tokenShardEntrySchema = z.object({ hash: hashSchema, tokens: z.int().positive() });
export type TokenShardEntry = z.infer<typeof tokenShardEntrySchema>;

/** The kinds of datasets. The kind says what the numbers in the token files mean. Each objective (training/objectives/) reads one kind. */
export const DATASET_KINDS = ["pretrain", "sft", "preferences", "classify"] as const;
export type DatasetKind = (typeof DATASET_KINDS)[number];

/** Characters of an imported chat template. Qwen3's has 4,000. */
export const MAX_CHAT_TEMPLATE = 32_000;

const endTokensSchema = z.array(z.int().nonnegative()).min(1).max(16);

/**
 * The data that a run learns from.
 *
 * Kind pretrain is an encoded corpus. Each document goes whole into train or val, followed by the end-of-text token. The unigram
 * and trigram baselines are fitted on the training tokens. Their losses are nats per token over all validation tokens except the
 * first.
 *
 * Kind sft is a lesson set, encoded as records (lessons/records.ts). It has no baselines, and `documents` counts conversations.
 *
 * Kind classify is a set of labelled lessons, encoded as records (lessons/labelled.ts). It has no tokenizer. Its unigram loss is
 * that of a model that only counts labels, in nats per lesson.
 *
 * Kind preferences holds pairs of answers to one question, the better one first (preferences/records.ts). `documents` counts pairs.
 */
export const datasetSchema = z.object({
  format: z.literal(1),
  kind: z.enum(DATASET_KINDS).default("pretrain"),
  /** Null for kind classify. */
  tokenizer: hashSchema.nullable(),
  /** The numbers in the token files are below this. */
  vocabSize: z.int().positive(),
  /** The tokens that end a text; models trained on this dataset use them. Absent in datasets of earlier versions. */
  endTokens: endTokensSchema.optional(),
  train: z.array(tokenShardEntrySchema),
  val: z.array(tokenShardEntrySchema),
  /** Number of 16-bit numbers in `train`. Kind pretrain: one per token. Other kinds: records. */
  trainTokens: z.int().nonnegative(),
  valTokens: z.int().nonnegative(),
  /** UTF-8 bytes of the validation documents, for bits per byte. */
  valBytes: z.int().nonnegative(),
  documents: z.int().nonnegative(),
  unigramLoss: z.number().optional(),
  /** Loss of an interpolated trigram model; absent in datasets that are older than this baseline. */
  trigramLoss: z.number().optional(),
  /** Kinds sft and preferences: the context length of the models that can learn the records. */
  context: z.int().positive().optional(),
  /** Kind classify: the labels; a record has an index of this list. */
  labels: z.array(z.string()).min(2).max(MAX_LABELS).optional(),
  /** Kinds sft and classify: the lesson set. Kind sft: the pretraining dataset that supplies replayed text. */
  lessons: hashSchema.optional(),
  replay: hashSchema.optional(),
  /** Kind preferences: the model whose log-probabilities are in the records. */
  reference: hashSchema.optional(),
});
export type Dataset = z.infer<typeof datasetSchema>;
/** A dataset as stored. A corpus is stored without `kind`, so that its hash is the same as before the field existed. */
export type StoredDataset = z.input<typeof datasetSchema>;

/**
 * A complete training state. It contains no run id and no time, so two runs of the same work produce the same hash. Weights and
 * states are lists of parts. `inner` has one entry per shard: the state of its local optimizer and the rounding errors of its
 * compressed updates, or null.
 */
export const checkpointSchema = z.object({
  format: z.literal(2),
  model: networkConfigSchema,
  /** Null for a classifier. */
  tokenizer: hashSchema.nullable(),
  /** Null for an imported model. */
  dataset: hashSchema.nullable(),
  /** The tokens that end a generated text; see `endTokensOf`. */
  endTokens: endTokensSchema.optional(),
  /** The chat template (Jinja) of an imported model, which its exports keep. Training replaces it with Tiffin's own. */
  chatTemplate: z.string().min(1).max(MAX_CHAT_TEMPLATE).optional(),
  /** Rounds completed; 0 is the initial state. */
  round: z.int().nonnegative(),
  /** Training tokens consumed so far. */
  tokens: z.int().nonnegative(),
  /** Factor on the learning rate, for example 0.5 after a divergence and a rollback. */
  lrScale: z.number().positive(),
  weights: z.array(hashSchema),
  /** State of the outer optimizer, which the coordinator applies; null before the first round. */
  outer: z.array(hashSchema).nullable(),
  inner: z.array(z.array(hashSchema).nullable()),
});
export type Checkpoint = z.infer<typeof checkpointSchema>;

/**
 * The tokens that end a text of a model. Checkpoints of earlier versions do not list these tokens: every control token with an
 * id of at least `endOfText` ended a text.
 */
export function endTokensOf({ endTokens }: Pick<Checkpoint, "endTokens">, { vocabulary, endOfText }: Tokenizer): readonly number[] {
  return endTokens ?? vocabulary.added.filter(({ id, isText }) => !isText && id >= endOfText).map(({ id }) => id);
}

/** JSON with sorted keys and no white space: equal values give equal bytes. Numbers must be finite. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`canonicalJson: expected a finite number, got ${value}`);
  return JSON.stringify(value);
}
