/**
 * One bounded step of encoding a corpus into token shards. Documents go whole to train or val by the hash of their text,
 * so the split does not depend on the order of crawling. Every step closes its own shards; the last one fits the
 * unigram baseline and writes the manifest.
 */
import { z } from "zod";
import { snapshotSchema, tokenShardEntrySchema, type Dataset, type Hash, type TokenShardEntry } from "../../shared/artifacts.ts";
import { getJson, getObject, putJson, putObject } from "../../shared/store.ts";
import { unigramLoss } from "../../shared/tokenizer/ngram.ts";
import { decodeTokenShard, encodeTokenShard, MAX_SHARD_TOKENS } from "../../shared/tokenizer/token-shard.ts";
import { loadTokenizer } from "../../shared/tokenizer/tokenizer.ts";
import { readSegment } from "./segments.ts";
import type { StepProgress } from "./train-step.ts";

const SEGMENTS_PER_STEP = 2;
/** One document in this many is held out. */
const HELD_OUT_OF = 16;

const stateSchema = z.object({
  format: z.literal(1),
  segment: z.int().nonnegative(),
  train: z.array(tokenShardEntrySchema),
  val: z.array(tokenShardEntrySchema),
  valBytes: z.int().nonnegative(),
  documents: z.int().nonnegative(),
});

export interface EncodeStepInput {
  snapshot: Hash;
  tokenizer: Hash;
  state: Hash | null;
}

export async function encodeStep(env: TokenizerEnv, input: EncodeStepInput): Promise<{ state: Hash; done: boolean; dataset: Hash | null; progress: StepProgress }> {
  const snapshot = await getJson(env.CORPUS, "snapshot", input.snapshot, snapshotSchema);
  const tokenizer = loadTokenizer(JSON.parse(new TextDecoder().decode(await getObject(env.ARTIFACTS, "tokenizer", input.tokenizer))));
  const state =
    input.state === null
      ? { format: 1 as const, segment: 0, train: [], val: [], valBytes: 0, documents: 0 }
      : await getJson(env.ARTIFACTS, "tokenizer-state", input.state, stateSchema);
  const total = snapshot.segments.length;

  if (state.segment < total) {
    const end = Math.min(total, state.segment + SEGMENTS_PER_STEP);
    const open: { train: number[]; val: number[] } = { train: [], val: [] };
    let { valBytes, documents } = state;
    for (const entry of snapshot.segments.slice(state.segment, end)) {
      for (const document of await readSegment(env.CORPUS, entry.hash)) {
        const heldOut = Number.parseInt(document.sha256.slice(0, 8), 16) % HELD_OUT_OF === 0;
        const tokens = heldOut ? open.val : open.train;
        for (const id of tokenizer.encode(document.text.toWellFormed())) tokens.push(id);
        tokens.push(tokenizer.endOfText);
        documents++;
        if (heldOut) valBytes += new TextEncoder().encode(document.text).length;
      }
    }
    const next = await putJson(env.ARTIFACTS, "tokenizer-state", {
      format: 1,
      segment: end,
      train: [...state.train, ...(await writeShards(env, open.train))],
      val: [...state.val, ...(await writeShards(env, open.val))],
      valBytes,
      documents,
    });
    return { state: next, done: false, dataset: null, progress: { stage: "encode", done: end, total } };
  }

  const sum = (shards: readonly TokenShardEntry[]) => shards.reduce((tokens, shard) => tokens + shard.tokens, 0);
  const read = async (shard: TokenShardEntry) => decodeTokenShard(new Uint8Array(await getObject(env.ARTIFACTS, "token-shard", shard.hash)));
  const dataset: Dataset = {
    format: 1,
    tokenizer: input.tokenizer,
    vocabSize: tokenizer.vocabSize,
    train: state.train,
    val: state.val,
    trainTokens: sum(state.train),
    valTokens: sum(state.val),
    valBytes: state.valBytes,
    documents: state.documents,
    unigramLoss: await unigramLoss(tokenizer.vocabSize, state.train.map((shard) => () => read(shard)), state.val.map((shard) => () => read(shard))),
  };
  const hash = await putJson(env.ARTIFACTS, "dataset", dataset);
  return { state: await putJson(env.ARTIFACTS, "tokenizer-state", state), done: true, dataset: hash, progress: { stage: "encode", done: total, total } };
}

async function writeShards(env: TokenizerEnv, tokens: readonly number[]): Promise<TokenShardEntry[]> {
  const shards: TokenShardEntry[] = [];
  for (let first = 0; first < tokens.length; first += MAX_SHARD_TOKENS) {
    const part = tokens.slice(first, first + MAX_SHARD_TOKENS);
    shards.push({ hash: await putObject(env.ARTIFACTS, "token-shard", encodeTokenShard(part)), tokens: part.length });
  }
  return shards;
}
