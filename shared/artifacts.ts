/**
 * The storage schema: every object the pipeline keeps in R2, with its key and its type.
 *
 * Objects are immutable and named by the sha256 of their bytes, so a reader can check what it got and a writer can
 * retry without harm. Manifests are canonical JSON (sorted keys, no times), so equal content has an equal name.
 * Reading and writing live in `store.ts`; the binary layouts in `tokenizer/token-shard.ts` and `model/safetensors.ts`.
 */
import { z } from "zod";
import { modelConfigSchema } from "./config.ts";
import type { Tokenizer } from "./tokenizer/tokenizer.ts";

/** Lower-case hexadecimal sha256 of an object's bytes. */
export const hashSchema = z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits");
export type Hash = z.infer<typeof hashSchema>;

/** The kinds of objects. A kind decides the key: readers name a kind and a hash, never a key. */
export const OBJECT_KINDS = {
  segment: { prefix: "segments", suffix: ".jsonl.gz" },
  snapshot: { prefix: "snapshots", suffix: ".json" },
  "tokenizer-state": { prefix: "tokenizer-states", suffix: ".bin" },
  tokenizer: { prefix: "tokenizers", suffix: ".json" },
  "lesson-set": { prefix: "lessons", suffix: ".json" },
  "token-shard": { prefix: "token-shards", suffix: ".bin" },
  dataset: { prefix: "datasets", suffix: ".json" },
  /** Some consecutive tensors of a model, an optimizer state or an update; model/partition.ts says which. */
  part: { prefix: "parts", suffix: ".safetensors" },
  checkpoint: { prefix: "checkpoints", suffix: ".json" },
} as const;
export type ObjectKind = keyof typeof OBJECT_KINDS;

const runSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "expected a run's id");

/**
 * The prefix of all objects of a run. A run shares no object with other runs, so it deletes its own without asking whether
 * an equal run needs the same bytes. Publishing copies objects to the common keys.
 */
export function runPrefix(run: string): string {
  return `runs/${runSchema.parse(run)}/`;
}

/** The R2 key of a common object, or of an object of a run. */
export function objectKey(kind: ObjectKind, hash: Hash, run?: string): string {
  const { prefix, suffix } = OBJECT_KINDS[kind];
  return `${run === undefined ? "" : runPrefix(run)}${prefix}/${hashSchema.parse(hash)}${suffix}`;
}

/** The key of a source's manifest. Each flush writes another; the number is zero-padded so that a listing sorts by age. */
export function manifestKey(source: string, sequence: number): string {
  return `sources/${source}/manifest-${String(sequence).padStart(8, "0")}.json`;
}

/** The key of the record that names a segment's successor: a removed page makes the collector rewrite its segment. */
export function successorKey(segment: Hash): string {
  return `successors/${hashSchema.parse(segment)}.json`;
}

/** The segment without the removed pages; null when no page is left. The segment itself is deleted, so no removed bytes remain. */
export const successorSchema = z.object({ format: z.literal(1), segment: hashSchema.nullable() });

/** One line of a corpus segment: the record that FineWeb tools read. The line of a removed document is empty. */
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

/** A document as a line of a segment: fields in the schema's order. */
export function encodeDocument(document: Document): string {
  return JSON.stringify(documentSchema.parse(document));
}

/** A segment as manifests and snapshots list it. */
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

/** A fixed list of segments, from which a tokenizer and a dataset are made. */
export const snapshotSchema = z.object({
  format: z.literal(1),
  segments: z.array(segmentEntrySchema),
  /** Documents whose pages have changed since; readers skip them. */
  superseded: z.array(hashSchema).default([]),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

/** Conversations to learn from, each ending with an answer. */
export const lessonSetSchema = z.object({
  format: z.literal(1),
  conversations: z.array(z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() })).min(1)).min(1),
});
export type LessonSet = z.infer<typeof lessonSetSchema>;

/** One uint16 little-endian token file. */
export const tokenShardEntrySchema = z.object({ hash: hashSchema, tokens: z.int().positive() });
export type TokenShardEntry = z.infer<typeof tokenShardEntrySchema>;

/** What the numbers of a dataset's streams mean; an objective (training/objectives/) reads one kind. */
export const DATASET_KINDS = ["pretrain", "sft"] as const;
export type DatasetKind = (typeof DATASET_KINDS)[number];

const endTokensSchema = z.array(z.int().nonnegative()).min(1).max(16);

/**
 * What a run learns from. Kind pretrain is an encoded corpus: documents are split whole into train and val, each followed by
 * the end-of-text token. The baselines are fitted on the training tokens and scored on all validation tokens but the first,
 * in nats per token. Kind sft is a lesson set as records (lessons/records.ts) and has no baselines; its documents are
 * conversations.
 */
export const datasetSchema = z.object({
  format: z.literal(1),
  kind: z.enum(DATASET_KINDS).default("pretrain"),
  tokenizer: hashSchema,
  vocabSize: z.int().positive(),
  /** The tokens that end a text here, for the models that learn from it; absent in datasets of earlier versions. */
  endTokens: endTokensSchema.optional(),
  train: z.array(tokenShardEntrySchema),
  val: z.array(tokenShardEntrySchema),
  /** 16-bit numbers of a stream: tokens, or in sft pairs of a token and its flag. */
  trainTokens: z.int().nonnegative(),
  valTokens: z.int().nonnegative(),
  /** UTF-8 bytes of the validation documents, for bits per byte. */
  valBytes: z.int().nonnegative(),
  documents: z.int().nonnegative(),
  unigramLoss: z.number().optional(),
  /** Interpolated trigram; absent in datasets made before it was measured. */
  trigramLoss: z.number().optional(),
  /** Kind sft: the positions of the models that the records are for. */
  context: z.int().positive().optional(),
  /** Kind sft: the lesson set, and the dataset of kind pretrain that some records repeat. */
  lessons: hashSchema.optional(),
  replay: hashSchema.optional(),
});
export type Dataset = z.infer<typeof datasetSchema>;
/** As it is written: a corpus without its kind, so that equal content keeps the name that it had before there were kinds. */
export type StoredDataset = z.input<typeof datasetSchema>;

/**
 * A complete training state. Contains no run id and no time: two runs of the same work end in the same hash.
 * Weights and states are lists of parts. `inner` holds one state per shard: its local optimizer's and the rounding
 * errors of its compressed updates, or nothing.
 */
export const checkpointSchema = z.object({
  format: z.literal(2),
  model: modelConfigSchema,
  tokenizer: hashSchema,
  /** Null of a model that was brought in from elsewhere. */
  dataset: hashSchema.nullable(),
  /** The tokens after which a generated text is complete; see `endTokensOf`. */
  endTokens: endTokensSchema.optional(),
  /** Rounds completed; 0 is the initial state. */
  round: z.int().nonnegative(),
  /** Training tokens consumed so far. */
  tokens: z.int().nonnegative(),
  /** Factor on the learning rate; below 1 after a run has diverged and gone back. */
  lrScale: z.number().positive(),
  weights: z.array(hashSchema),
  /** State of the optimizer that the coordinator applies; null before the first round. */
  outer: z.array(hashSchema).nullable(),
  inner: z.array(z.array(hashSchema).nullable()),
});
export type Checkpoint = z.infer<typeof checkpointSchema>;

/**
 * The tokens that end a text of a model. Checkpoints of earlier versions do not list them: there, every control token from
 * end-of-text on ended a text.
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
