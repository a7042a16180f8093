/**
 * The model that the lessons bench teaches. It is either the default preset, trained here as in `npm start` (same corpus and
 * preset, but another split of the documents), or a model in a folder of R2 objects.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkpointSchema, datasetSchema, OBJECT_KINDS, objectKey, type Hash, type ObjectKind } from "../../../../shared/artifacts.ts";
import { decoderCheckpoint } from "../../../../shared/decoder-checkpoint.ts";
import { presetOf, type ModelConfig } from "../../../../shared/config.ts";
import { parseJson, putJson, putObject } from "../../../../shared/store.ts";
import { parseTokenizer } from "../../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../../shared/tokenizer/json-writer.ts";
import { LAYOUT } from "../../../../shared/tokenizer/layout.ts";
import { putTokenShard } from "../../../../shared/tokenizer/stored-shards.ts";
import { decodeTokenShard } from "../../../../shared/tokenizer/token-shard.ts";
import type { Tokenizer } from "../../../../shared/tokenizer/tokenizer.ts";
import type { Print } from "../../../cli/runner.ts";
import { MapBucket } from "../../../simulation/map-bucket.ts";
import { defaultCorpus } from "../default-corpus.ts";
import { encodeCorpus, pretrain } from "../pretraining.ts";

const PRESET = "small";

export interface BaseModel {
  model: ModelConfig;
  parts: Uint8Array<ArrayBuffer>[];
  tokenizer: Tokenizer;
  tokenizerHash: Hash;
  dataset: Hash;
  train: Uint16Array;
  val: Uint16Array;
}

/** Reads the only model in a folder that holds R2 objects as files. */
export function readBase(folder: string): BaseModel {
  const read = (kind: ObjectKind, hash: Hash) => new Uint8Array(readFileSync(join(folder, objectKey(kind, hash))));
  const [checkpointHash] = readdirSync(join(folder, OBJECT_KINDS.checkpoint.prefix)).map((name) => name.split(".")[0]!);
  const checkpoint = decoderCheckpoint(parseJson(read("checkpoint", checkpointHash!), checkpointSchema), "base");
  if (checkpoint.dataset === null) throw new Error(`base: expected a model with its dataset, got one without in ${folder}`);
  const dataset = parseJson(read("dataset", checkpoint.dataset), datasetSchema);
  const side = (shards: readonly { hash: Hash; tokens: number }[]) =>
    Uint16Array.from(shards.flatMap(({ hash }) => [...decodeTokenShard(read("token-shard", hash))]));
  return {
    model: checkpoint.model,
    parts: checkpoint.weights.map((hash) => read("part", hash)),
    tokenizer: parseTokenizer(read("tokenizer", checkpoint.tokenizer)),
    tokenizerHash: checkpoint.tokenizer,
    dataset: checkpoint.dataset,
    train: side(dataset.train),
    val: side(dataset.val),
  };
}

/** Trains the model on `tokens` tokens and writes it to a folder. After a crash the folder counts as empty. */
export async function trainBase(folder: string, tokens: number, print: Print): Promise<void> {
  const { vocabSize } = presetOf(PRESET);
  const texts = await defaultCorpus();
  const corpus = encodeCorpus(texts, LAYOUT, vocabSize);
  const { tokenizer } = corpus;
  const objects = new MapBucket();
  const bucket = objects.asBucket();
  const [train, val] = [[await putTokenShard(bucket, corpus.train)], [await putTokenShard(bucket, corpus.val)]];
  const tokenizerHash = await putJson(bucket, "tokenizer", tokenizerToJson(tokenizer.vocabulary));
  const endTokens = [tokenizer.endOfText];
  const sizes = { trainTokens: corpus.train.length, valTokens: corpus.val.length, valBytes: corpus.valBytes, documents: texts.length };
  const named = { format: 1, tokenizer: tokenizerHash, vocabSize: tokenizer.vocabSize, endTokens };
  const dataset = await putJson(bucket, "dataset", { ...named, train, val, ...sizes, unigramLoss: 0 });

  const { loop, spec } = await pretrain(
    corpus,
    { run: "base", dataset, tokenizer: tokenizerHash },
    { preset: PRESET, tokens, seed: 1 },
    print,
  );
  const weights = await Promise.all((await loop.parts()).map((bytes) => putObject(bucket, "part", bytes)));
  const progress = { round: spec.rounds, tokens, lrScale: 1, outer: null, inner: [] };
  const checkpoint = { format: 2, model: spec.model, tokenizer: tokenizerHash, dataset, endTokens, weights, ...progress };
  const last = await putJson(bucket, "checkpoint", checkpoint);
  const lastKey = objectKey("checkpoint", last);
  // The checkpoint is written last, so a folder with a checkpoint is complete.
  for (const [key, bytes] of [...objects.objects].toSorted(([a], [b]) => Number(a === lastKey) - Number(b === lastKey))) {
    mkdirSync(dirname(join(folder, key)), { recursive: true });
    writeFileSync(join(folder, key), new Uint8Array(bytes));
  }
}
