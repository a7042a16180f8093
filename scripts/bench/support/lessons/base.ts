/**
 * The model that the lessons bench teaches. It is either the default preset, trained here as in `npm start` (same corpus,
 * preset and budget, but another split of the documents), or a model in a folder of R2 objects.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkpointSchema, datasetSchema, OBJECT_KINDS, objectKey, type Hash, type ObjectKind } from "../../../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema, type ModelConfig } from "../../../../shared/config.ts";
import { parseJson, putJson, putObject } from "../../../../shared/store.ts";
import { trainMerges, type BpeState } from "../../../../shared/tokenizer/bpe.ts";
import { parseTokenizer } from "../../../../shared/tokenizer/json-reader.ts";
import { tokenizerToJson } from "../../../../shared/tokenizer/json-writer.ts";
import { LAYOUT } from "../../../../shared/tokenizer/layout.ts";
import { splitWords } from "../../../../shared/tokenizer/pre-tokenizer.ts";
import { decodeTokenShard, encodeTokenShard } from "../../../../shared/tokenizer/token-shard.ts";
import { Tokenizer } from "../../../../shared/tokenizer/tokenizer.ts";
import { totalRounds } from "../../../../shared/training/compute/rounds.ts";
import type { Print } from "../../../cli/runner.ts";
import { MapBucket } from "../../../simulation/map-bucket.ts";
import { Loop } from "../../workers/diloco/loop.ts";
import { defaultCorpus } from "../default-corpus.ts";

const PRESET = "small";
/** One document in this many is for validation. */
const HELD_OUT_STRIDE = 20;
const MAX_WORD_LENGTH = 256;
const REPORT_SECONDS = 30;

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
  const checkpoint = parseJson(read("checkpoint", checkpointHash!), checkpointSchema);
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

/** Trains the model and writes it to a folder. After a crash the folder counts as empty. */
export async function trainBase(folder: string, print: Print): Promise<void> {
  const preset = presetOf(PRESET);
  const texts = await defaultCorpus();
  const words = new Map<string, number>();
  for (const text of texts)
    for (const word of splitWords(text, LAYOUT.preTokenizer))
      if (word.length <= MAX_WORD_LENGTH) words.set(word, (words.get(word) ?? 0) + 1);
  const state: BpeState = { words: [...words], merges: [] };
  trainMerges(state, preset.vocabSize - LAYOUT.minVocabSize, Number.POSITIVE_INFINITY);
  const tokenizer = new Tokenizer(LAYOUT.vocabulary(state.merges));
  const sides = { train: [] as number[], val: [] as number[] };
  for (const [index, text] of texts.entries())
    sides[index % HELD_OUT_STRIDE === 0 ? "val" : "train"].push(...tokenizer.encode(text), tokenizer.endOfText);

  const objects = new MapBucket();
  const bucket = objects.asBucket();
  const shard = async (tokens: readonly number[]) => [
    { hash: await putObject(bucket, "token-shard", encodeTokenShard(tokens)), tokens: tokens.length },
  ];
  const [train, val] = [await shard(sides.train), await shard(sides.val)];
  const tokenizerHash = await putJson(bucket, "tokenizer", tokenizerToJson(tokenizer.vocabulary));
  const endTokens = [tokenizer.endOfText];
  const sizes = { trainTokens: sides.train.length, valTokens: sides.val.length, valBytes: 0, documents: texts.length };
  const named = { format: 1, tokenizer: tokenizerHash, vocabSize: tokenizer.vocabSize, endTokens };
  const dataset = await putJson(bucket, "dataset", { ...named, train, val, ...sizes, unigramLoss: 0 });

  const model = { ...preset.model, vocabSize: tokenizer.vocabSize };
  const training = { ...preset.training, seed: 1, tokens: preset.tokens };
  const supervision = supervisionConfigSchema.parse({});
  const rounds = totalRounds(training, model);
  const spec = { run: "base", preset: PRESET, dataset, tokenizer: tokenizerHash, endTokens, model, training, supervision, rounds };
  const loop = await Loop.begin(spec, Uint16Array.from(sides.train), Uint16Array.from(sides.val));
  for (let done = 0; done < rounds;) {
    const { round, loss, valLoss } = await loop.advance(REPORT_SECONDS);
    done = round;
    print(`base: round ${round} of ${rounds}, loss ${loss.toFixed(3)}${valLoss === null ? "" : `, validation ${valLoss.toFixed(3)}`}`);
  }
  const weights = await Promise.all((await loop.parts()).map((bytes) => putObject(bucket, "part", bytes)));
  const progress = { round: rounds, tokens: training.tokens, lrScale: 1, outer: null, inner: [] };
  const checkpoint = { format: 2, model, tokenizer: tokenizerHash, dataset, endTokens, weights, ...progress };
  const last = await putJson(bucket, "checkpoint", checkpoint);
  const lastKey = objectKey("checkpoint", last);
  // The checkpoint is written last, so a folder with a checkpoint is complete.
  for (const [key, bytes] of [...objects.objects].toSorted(([a], [b]) => Number(a === lastKey) - Number(b === lastKey))) {
    mkdirSync(dirname(join(folder, key)), { recursive: true });
    writeFileSync(join(folder, key), new Uint8Array(bytes));
  }
}
