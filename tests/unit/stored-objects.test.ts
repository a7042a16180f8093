/**
 * Stored objects: `stored-objects/` has an object of each kind and format version, as some version of Tiffin wrote it. Readers
 * decode every file forever, and today's writers write the newest file of their kind byte for byte. When a format changes, a
 * new file is added; a file is never edited. If an optional field gives one version several forms, a letter after the version
 * distinguishes their files.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { MapBucket } from "../../scripts/simulation/map-bucket.ts";
import {
  canonicalJson,
  checkpointSchema,
  datasetSchema,
  documentSchema,
  encodeDocument,
  manifestKey,
  OBJECT_KINDS,
  objectKey,
  originKey,
  originSchema,
  snapshotSchema,
  sourceManifestSchema,
  successorKey,
  successorSchema,
  lessonSetSchema,
  pairSetSchema,
  traceDocumentsSchema,
  traceKey,
  traceSchema,
  type Checkpoint,
  type LessonSet,
  type PairSet,
  type ObjectKind,
  type Origin,
  type Snapshot,
  type SourceManifest,
  type StoredDataset,
  type Trace,
  type TraceDocuments,
} from "../../shared/artifacts.ts";
import { PRESETS, supervisionConfigSchema } from "../../shared/config.ts";
import { compress } from "../../shared/model/formats/compression.ts";
import { decodeMixed, encodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { parseJson, putObject, sha256 } from "../../shared/store.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../shared/tokenizer/json-writer.ts";
import { FORMER_LAYOUT, LAYOUT } from "../../shared/tokenizer/layout.ts";
import { decodeTokenShard, encodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import { DIRECTORY_BYTES, encodeIndex, lookUp } from "../../shared/trace/index-file.ts";
import { minimizersOf } from "../../shared/trace/minimizers.ts";
import { publishBase } from "../../workers/coordinator/checkpoints.ts";
import { putCheckpoint } from "../../workers/coordinator/reduce.ts";
import { encodeStateSchema } from "../../workers/tokenizer/encode-step.ts";
import { lessonStateSchema } from "../../workers/tokenizer/lesson-step.ts";
import { mergeStateSchema } from "../../workers/tokenizer/merge-step.ts";

const FOLDER = join(import.meta.dirname, "stored-objects");
const golden = (file: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(join(FOLDER, file)));
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const hash = (digit: string) => digit.repeat(64);

/** The content of the golden objects: one part of three tensors, a tokenizer with two merges, a dataset with two sides. */
const TENSORS = [
  { name: "model.norm.weight", shape: [2], data: Float32Array.of(1, -0.5) },
  { name: "model.embed_tokens.weight", shape: [2, 3], data: Float32Array.of(0.25, -1e-8, 3, 0, -0, 1e30) },
];
const MERGES = [
  [104, 101],
  [256, 108],
] as const;
const DOCUMENT = {
  id: hash("a"),
  url: "https://example.com/tea?cup=1",
  text: "Tea is poured.\nThe kettle \u201csings\u201d \u{1f375}.",
  title: "Tea",
  lang: "en",
  licence: "",
  source: "s1",
  fetchedAt: "2026-11-23T10:00:00.000Z",
  sha256: hash("a"),
};
const COUNTED = {
  segment: 1,
  document: 3,
  words: [
    [" tea", 5],
    ["\u00e9t\u00e9", 1],
  ] satisfies [string, number][],
  merges: [[104, 101]] satisfies [number, number][],
};
const DATASET: StoredDataset = {
  format: 1,
  tokenizer: hash("d"),
  vocabSize: 300,
  train: [{ hash: hash("4"), tokens: 3 }],
  val: [{ hash: hash("6"), tokens: 2 }],
  trainTokens: 3,
  valTokens: 2,
  valBytes: 20,
  documents: 4,
  unigramLoss: 4.5,
  trigramLoss: 3.25,
};
const LESSONS_DATASET: StoredDataset = {
  format: 1,
  kind: "sft",
  tokenizer: hash("d"),
  vocabSize: 300,
  endTokens: [2, 0],
  train: [{ hash: hash("4"), tokens: 258 }],
  val: [{ hash: hash("6"), tokens: 258 }],
  trainTokens: 258,
  valTokens: 258,
  valBytes: 0,
  documents: 2,
  context: 128,
  lessons: hash("a"),
};
const ORIGIN: Origin = {
  format: 1,
  snapshot: hash("b"),
  superseded: 1,
  sources: [
    {
      site: "example.com",
      licence: "",
      lang: "en",
      documents: 4,
      bytes: 340,
      firstRetrieved: "2026-11-23",
      lastRetrieved: "2026-12-01",
    },
  ],
};
const TRACE_LISTS = { indexes: [hash("7")], documents: [{ start: 0, list: hash("8") }] };
const TRACED_TOKENS = [5, 6, 7, 8, 9, 10, 11, 12, 5, 6, 7, 8, 9, 10, 11, 65_535];
const CONVERSATIONS: LessonSet["conversations"] = [
  [
    { role: "system", content: "time: morning, 06:00" },
    { role: "user", content: "Tea?" },
    { role: "assistant", content: "Now \u{1f375}." },
  ],
];
const SEGMENTS = [{ hash: hash("b"), documents: 2, bytes: 1234 }];
const SPEC = {
  run: "golden",
  preset: "tiny",
  dataset: hash("c"),
  tokenizer: hash("d"),
  model: { ...PRESETS["tiny"]!.model, vocabSize: 300 },
  training: { ...PRESETS["tiny"]!.training, seed: 1, tokens: 1000 },
  supervision: supervisionConfigSchema.parse({}),
  rounds: 2,
};
const BASE = { round: 1, tokens: 512, lrScale: 0.5, weights: [hash("1")], outer: [hash("2")], inner: [[hash("3")], null] };

/** The only object of a bucket after a write. */
async function written(write: (bucket: R2Bucket) => Promise<unknown>): Promise<Uint8Array<ArrayBuffer>> {
  const bucket = new MapBucket();
  await write(bucket.asBucket());
  expect(bucket.objects.size).toBe(1);
  return new Uint8Array([...bucket.objects.values()][0]!);
}

const json = (value: unknown) => new TextEncoder().encode(canonicalJson(value));

/** For each newest file of a kind, the bytes that today's writer writes for the same content. */
const TODAY: Readonly<Record<string, () => Uint8Array | Promise<Uint8Array>>> = {
  "segment-line.1.json": () => new TextEncoder().encode(encodeDocument(DOCUMENT)),
  "snapshot.1b.json": () => json({ format: 1, segments: SEGMENTS, superseded: [hash("e")] } satisfies Snapshot),
  "source-manifest.1.json": () => json({ format: 1, source: "s1", sequence: 7, segments: SEGMENTS } satisfies SourceManifest),
  "successor.1.json": () => json({ format: 1, segment: hash("f") } satisfies z.infer<typeof successorSchema>),
  "tokenizer-state-merge.2.json": () => json({ format: 2, ...COUNTED } satisfies z.infer<typeof mergeStateSchema>),
  "tokenizer-state-merge.3.json": () => json({ format: 3, ...COUNTED } satisfies z.infer<typeof mergeStateSchema>),
  "tokenizer-state-encode.2.json": () =>
    json({
      format: 2,
      stage: "encode",
      segment: 1,
      document: 3,
      survey: { keys: [[12, 340]], bytes: 340 },
      train: { shards: [{ hash: hash("4"), tokens: 3 }], open: hash("5") },
      val: { shards: [], open: null },
      valBytes: 20,
      documents: 4,
    } satisfies z.infer<typeof encodeStateSchema>),
  "tokenizer-state-encode.2b.json": () =>
    json({
      format: 2,
      stage: "encode",
      segment: 1,
      document: 3,
      survey: { keys: [[12, 340]], bytes: 340 },
      train: { shards: [], open: null },
      val: { shards: [], open: null },
      valBytes: 20,
      documents: 4,
      sources: ORIGIN.sources,
    } satisfies z.infer<typeof encodeStateSchema>),
  "tokenizer-state-encode.2c.json": () =>
    json({
      format: 2,
      stage: "index",
      segment: 1,
      document: 0,
      survey: { keys: [[12, 340]], bytes: 340 },
      train: { shards: [{ hash: hash("4"), tokens: 3 }], open: null },
      val: { shards: [], open: null },
      valBytes: 20,
      documents: 4,
      sources: ORIGIN.sources,
      trace: TRACE_LISTS,
    } satisfies z.infer<typeof encodeStateSchema>),
  "trace.1.json": () => json({ format: 1, ...TRACE_LISTS } satisfies Trace),
  "trace-documents.1.json": () =>
    json({ format: 1, documents: [{ start: 7, url: DOCUMENT.url, title: "Tea", licence: "CC0-1.0" }] } satisfies TraceDocuments),
  "trace-index.1.bin": () => encodeIndex(TRACED_TOKENS),
  "origin.1.json": () => json(ORIGIN),
  "tokenizer.1.json": () => json(tokenizerToJson(FORMER_LAYOUT.vocabulary(MERGES))),
  "tokenizer.2.json": () => json(tokenizerToJson(LAYOUT.vocabulary(MERGES))),
  "token-shard.1.bin": () => encodeTokenShard([0, 1, 255, 256, 65_535]),
  "dataset.1b.json": () => json(DATASET),
  "dataset.1c.json": () => json({ ...DATASET, endTokens: [0] }),
  "dataset.1d.json": () => json({ ...LESSONS_DATASET, replay: hash("c") }),
  "lesson-set.1.json": () => json({ format: 1, conversations: CONVERSATIONS } satisfies LessonSet),
  "dataset.1e.json": () => json({ ...LESSONS_DATASET, kind: "preferences", lessons: undefined, reference: hash("9") }),
  "pair-set.1.json": () =>
    json({ format: 1, pairs: [{ messages: CONVERSATIONS[0]!.slice(0, -1), better: "Tea.", worse: "Tea, obviously." }] } satisfies PairSet),
  "tokenizer-state-lessons.1.json": () =>
    json({
      format: 1,
      next: 5,
      longest: 40,
      train: [{ hash: hash("4"), tokens: 258 }],
      val: [],
    } satisfies z.infer<typeof lessonStateSchema>),
  "part.1-float32.safetensors": () => encodeSafetensors(TENSORS),
  "part.1-bf16.safetensors": () => encodeSafetensors(compress(TENSORS, {}, "bf16").arrays),
  "part.1-int8.safetensors": () => encodeSafetensors(compress(TENSORS, {}, "int8").arrays),
  "checkpoint.2.json": () => written((bucket) => putCheckpoint(bucket, SPEC, BASE)),
  "checkpoint.2c.json": () =>
    json({
      ...BASE,
      format: 2,
      model: SPEC.model,
      tokenizer: hash("d"),
      dataset: null,
      endTokens: [2, 0],
      chatTemplate: "{{ messages }}",
    } satisfies Checkpoint),
  "checkpoint.2b.json": () => written((bucket) => putCheckpoint(bucket, { ...SPEC, endTokens: [2, 0] }, BASE)),
};

/** For each kind (the start of a file's name), a reader that returns the content, or throws if it does not understand the bytes. */
const READERS: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => unknown>> = {
  "segment-line": (bytes) => parseJson(bytes, documentSchema),
  snapshot: (bytes) => parseJson(bytes, snapshotSchema),
  "source-manifest": (bytes) => parseJson(bytes, sourceManifestSchema),
  successor: (bytes) => parseJson(bytes, successorSchema),
  "tokenizer-state-merge": (bytes) => parseJson(bytes, mergeStateSchema),
  origin: (bytes) => parseJson(bytes, originSchema),
  trace: (bytes) => parseJson(bytes, traceSchema),
  "trace-documents": (bytes) => parseJson(bytes, traceDocumentsSchema),
  "lesson-set": (bytes) => parseJson(bytes, lessonSetSchema),
  "pair-set": (bytes) => parseJson(bytes, pairSetSchema),
  "tokenizer-state-lessons": (bytes) => parseJson(bytes, lessonStateSchema),
  "tokenizer-state-encode": (bytes) => parseJson(bytes, encodeStateSchema),
  tokenizer: (bytes) => tokenizerToJson(parseTokenizer(bytes).vocabulary),
  dataset: (bytes) => parseJson(bytes, datasetSchema),
  checkpoint: (bytes) => parseJson(bytes, checkpointSchema),
};

const files = readdirSync(FOLDER);
const kindOf = (file: string) => file.split(".")[0]!;

describe("stored objects", () => {
  it.each(files.filter((file) => file.endsWith(".json")))("of %s are read with their whole content", (file) => {
    const bytes = golden(file);
    expect(READERS[kindOf(file)]!(bytes)).toMatchObject(JSON.parse(textOf(bytes)) as object);
  });

  it("of token shards are read as the tokens that were written", () => {
    expect([...decodeTokenShard(golden("token-shard.1.bin"))]).toEqual([0, 1, 255, 256, 65_535]);
  });

  it("of indexes give the places of the tokens that were indexed", () => {
    const bytes = golden("trace-index.1.bin");
    const entries = new DataView(bytes.buffer, bytes.byteOffset + DIRECTORY_BYTES);
    const minimizers = [...minimizersOf(TRACED_TOKENS)];
    expect(minimizers.length).toBeGreaterThan(2);
    for (const { at, fingerprint } of minimizers) expect(lookUp(entries, fingerprint, 10)).toContain(at);
  });

  it("of parts are read in each of the three number formats", () => {
    const [norm, embedding] = decodeMixed(golden("part.1-float32.safetensors"));
    expect([norm!.name, norm!.shape, [...norm!.data]]).toEqual(["model.norm.weight", [2], [1, -0.5]]);
    expect([...embedding!.data]).toEqual([0.25, Math.fround(-1e-8), 3, 0, -0, Math.fround(1e30)]);
    // bf16 keeps the upper half of a float32: 1 is 0x3f800000 and -0.5 is 0xbf000000.
    expect([...decodeMixed(golden("part.1-bf16.safetensors"))[0]!.data]).toEqual([0x3f80, 0xbf00]);
    // Each row has one scale, here 1 / 127. -0.5 is -63.5 times the scale.
    expect(
      decodeMixed(golden("part.1-int8.safetensors")).flatMap(({ data }) => (data instanceof Int8Array ? [...data].slice(0, 2) : [])),
    ).toContain(127);
  });

  it.each(Object.keys(TODAY))("of %s are still written byte for byte", async (file) => {
    expect(Buffer.from(await TODAY[file]!()).equals(Buffer.from(golden(file)))).toBe(true);
  });

  it("have a golden file for every kind, each with a reader, and a writer for the newest", () => {
    const kinds = [...new Set(files.map(kindOf))];
    const ofR2 = (Object.keys(OBJECT_KINDS) as ObjectKind[]).map((kind) => (kind === "segment" ? "segment-line" : kind));
    const isKnown = (kind: string) => kinds.some((known) => known === kind || known.startsWith(`${kind}-`));
    expect(ofR2.filter((kind) => !isKnown(kind))).toEqual([]);
    const newest = kinds.map((kind) =>
      files
        .filter((file) => kindOf(file) === kind)
        .toSorted()
        .at(-1)!,
    );
    expect(Object.keys(TODAY)).toEqual(expect.arrayContaining(newest));
    expect(Object.keys(READERS)).toEqual(expect.arrayContaining(newest.filter((file) => file.endsWith(".json")).map(kindOf)));
  });

  it.each([
    [objectKey("segment", hash("a")), `segments/${hash("a")}.jsonl.gz`],
    [objectKey("snapshot", hash("a")), `snapshots/${hash("a")}.json`],
    [objectKey("tokenizer-state", hash("a")), `tokenizer-states/${hash("a")}.bin`],
    [objectKey("tokenizer", hash("a")), `tokenizers/${hash("a")}.json`],
    [objectKey("token-shard", hash("a")), `token-shards/${hash("a")}.bin`],
    [objectKey("lesson-set", hash("a")), `lessons/${hash("a")}.json`],
    [objectKey("pair-set", hash("a")), `pair-sets/${hash("a")}.json`],
    [objectKey("dataset", hash("a")), `datasets/${hash("a")}.json`],
    [objectKey("part", hash("a")), `parts/${hash("a")}.safetensors`],
    [objectKey("part", hash("a"), "run-1"), `runs/run-1/parts/${hash("a")}.safetensors`],
    [objectKey("checkpoint", hash("a")), `checkpoints/${hash("a")}.json`],
    [objectKey("checkpoint", hash("a"), "run-1"), `runs/run-1/checkpoints/${hash("a")}.json`],
    [manifestKey("s1", 7), "sources/s1/manifest-00000007.json"],
    [originKey(hash("a")), `origins/${hash("a")}.json`],
    [objectKey("trace-index", hash("a")), `trace-indexes/${hash("a")}.bin`],
    [objectKey("trace-documents", hash("a")), `trace-documents/${hash("a")}.json`],
    [traceKey(hash("a")), `traces/${hash("a")}.json`],
    [successorKey(hash("a")), `successors/${hash("a")}.json`],
  ])("have the same keys as in earlier versions: %s", (today, key) => {
    expect(today).toBe(key);
  });

  it("of a published model are its checkpoint and parts, unchanged, among the common objects", async () => {
    const bucket = new MapBucket();
    const part = golden("part.1-float32.safetensors");
    const weights = [await putObject(bucket.asBucket(), "part", part, SPEC.run)];
    const { checkpoint } = await putCheckpoint(bucket.asBucket(), SPEC, { ...BASE, weights });
    await publishBase(bucket.asBucket(), SPEC.run, checkpoint);
    const published = [...bucket.objects].filter(([key]) => !key.startsWith("runs/"));
    expect(published.map(([key]) => key).toSorted()).toEqual([objectKey("checkpoint", checkpoint), objectKey("part", weights[0]!)]);
    for (const [key, bytes] of published) expect(key).toContain(await sha256(bytes));
    expect(bucket.objects.get(objectKey("part", weights[0]!))).toEqual(part.buffer);
  });
});
