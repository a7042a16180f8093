/** Pairs of answers in R2: first as text, then as records of a model's tokens, last with the log-probabilities of that model. */
import {
  checkpointSchema,
  pairSetSchema,
  type Hash,
  type PairSet,
  type StoredDataset,
  type TokenShardEntry,
} from "../../shared/artifacts.ts";
import { decoderCheckpoint, type DecoderCheckpoint } from "../../shared/decoder-checkpoint.ts";
import { namedError } from "../../shared/errors.ts";
import { hashText } from "../../shared/lessons/hash-text.ts";
import { heldOutOf } from "../../shared/lessons/lesson-set.ts";
import { pairRecords } from "../../shared/preferences/records.ts";
import { getJson, getObject, putJson } from "../../shared/store.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { MESSAGE_END } from "../../shared/tokenizer/special-tokens.ts";
import { numbersOf, putTokenShard } from "../../shared/tokenizer/stored-shards.ts";
import { missingAsNotFound } from "./missing-as-not-found.ts";

/** Pairs per token shard: as many as a trainer gets the log-probabilities of in one step. */
const PAIRS_PER_SHARD = 128;
const HELD_OUT_SHARE = 0.2;

/** Stores pairs under the hash of their content. */
export function addPairs(env: TokenizerEnv, pairs: PairSet["pairs"]): Promise<Hash> {
  return putJson(env.ARTIFACTS, "pair-set", { format: 1, pairs } satisfies PairSet);
}

async function readDecoder({ ARTIFACTS }: TokenizerEnv, model: Hash): Promise<DecoderCheckpoint> {
  return decoderCheckpoint(await missingAsNotFound(getJson(ARTIFACTS, "checkpoint", model, checkpointSchema)), "model");
}

export interface EncodedPairs {
  train: TokenShardEntry[];
  val: TokenShardEntry[];
  /** Pairs to learn, and pairs held out. */
  counts: [train: number, val: number];
  context: number;
}

/** Encodes pairs for a model. A fifth of the questions is held out. Throws "NotFound", and "InvalidInput" for pairs of one question. */
export async function encodePairs(env: TokenizerEnv, { pairs: id, model }: { pairs: Hash; model: Hash }): Promise<EncodedPairs> {
  const { ARTIFACTS } = env;
  const { pairs } = await missingAsNotFound(getJson(ARTIFACTS, "pair-set", id, pairSetSchema));
  const checkpoint = await readDecoder(env, model);
  const { context } = checkpoint.model;
  const tokenizer = parseTokenizer(new Uint8Array(await getObject(ARTIFACTS, "tokenizer", checkpoint.tokenizer)));
  if (tokenizer.findId(MESSAGE_END) === undefined)
    throw namedError("InvalidInput", `model: expected one with the token ${MESSAGE_END}, got one without`);
  const keys = pairs.map(({ messages }) => hashText(JSON.stringify(messages)));
  const heldOut = heldOutOf(keys, HELD_OUT_SHARE);
  if (heldOut === null)
    throw namedError("InvalidInput", "votes: expected pairs of at least two questions, one of them to evaluate on, got one");
  const side = async (isHeldOut: boolean): Promise<TokenShardEntry[]> => {
    const own = pairs.filter((_, index) => heldOut[index] === isHeldOut);
    const shards: TokenShardEntry[] = [];
    for (let first = 0; first < own.length; first += PAIRS_PER_SHARD) {
      const numbers = pairRecords(tokenizer, own.slice(first, first + PAIRS_PER_SHARD), context);
      shards.push(await putTokenShard(ARTIFACTS, numbers));
    }
    return shards;
  };
  const [train, val] = [await side(false), await side(true)];
  const held = heldOut.filter(Boolean).length;
  return { train, val, counts: [pairs.length - held, held], context };
}

export interface PreferencesInput {
  train: TokenShardEntry[];
  val: TokenShardEntry[];
  pairs: number;
  /** The model whose log-probabilities are in the records. */
  reference: Hash;
}

/** Stores the manifest of a dataset of preferences. */
export async function putPreferences(env: TokenizerEnv, { train, val, pairs, reference }: PreferencesInput): Promise<Hash> {
  const { tokenizer, model, endTokens } = await readDecoder(env, reference);
  return putJson(env.ARTIFACTS, "dataset", {
    format: 1,
    kind: "preferences",
    tokenizer,
    vocabSize: model.vocabSize,
    ...(endTokens === undefined ? {} : { endTokens }),
    train,
    val,
    trainTokens: numbersOf(train),
    valTokens: numbersOf(val),
    valBytes: 0,
    documents: pairs,
    context: model.context,
    reference,
  } satisfies StoredDataset);
}
