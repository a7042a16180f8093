/**
 * A text as a dataset of its characters, for benches: one character is one token, the first nine tenths are for training.
 * Such a dataset has no tokenizer; crawled text goes through the tokenizer instead.
 */
import { canonicalJson, objectKey, type StoredDataset, type Hash, type ObjectKind } from "../../../shared/artifacts.ts";
import { sha256 } from "../../../shared/store.ts";
import { trigramLoss, unigramLoss } from "../../../shared/tokenizer/ngram.ts";
import { encodeTokenShard, MAX_SHARD_TOKENS } from "../../../shared/tokenizer/token-shard.ts";

const TRAIN_SHARE = 0.9;
const NO_TOKENIZER = "0".repeat(64);

export interface StoredObject {
  key: string;
  bytes: Uint8Array<ArrayBuffer>;
}

const asShards = (part: Uint16Array) => [async () => part];

/** Characters as ids in the order of their codes, cut at `split` into training and validation. */
export function charTokens(text: string): { vocabSize: number; split: number; train: Uint16Array; val: Uint16Array } {
  const characters = [...new Set(text)].toSorted();
  const ids = new Map(characters.map((character, id) => [character, id]));
  const tokens = Uint16Array.from([...text], (character) => ids.get(character)!);
  const split = Math.floor(tokens.length * TRAIN_SHARE);
  return { vocabSize: characters.length, split, train: tokens.slice(0, split), val: tokens.slice(split) };
}

/** The dataset's manifest, its hash, and every object that it names. */
export async function charDataset(text: string): Promise<{ hash: Hash; dataset: StoredDataset; objects: StoredObject[] }> {
  const { vocabSize, split, train, val } = charTokens(text);
  const objects: StoredObject[] = [];
  const put = async (kind: ObjectKind, bytes: Uint8Array<ArrayBuffer>) => {
    const hash = await sha256(bytes);
    objects.push({ key: objectKey(kind, hash), bytes });
    return hash;
  };
  const putShards = async (part: Uint16Array) => {
    const shards = [];
    for (let first = 0; first < part.length; first += MAX_SHARD_TOKENS) {
      const slice = part.subarray(first, first + MAX_SHARD_TOKENS);
      shards.push({ hash: await put("token-shard", encodeTokenShard(slice)), tokens: slice.length });
    }
    return shards;
  };
  const dataset: StoredDataset = {
    format: 1,
    tokenizer: NO_TOKENIZER,
    vocabSize,
    train: await putShards(train),
    val: await putShards(val),
    trainTokens: train.length,
    valTokens: val.length,
    valBytes: new TextEncoder().encode([...text].slice(split).join("")).byteLength,
    documents: 1,
    unigramLoss: await unigramLoss(vocabSize, asShards(train), asShards(val)),
    trigramLoss: await trigramLoss(vocabSize, asShards(train), asShards(val)),
  };
  const hash = await put("dataset", new TextEncoder().encode(canonicalJson(dataset)) as Uint8Array<ArrayBuffer>);
  return { hash, dataset, objects };
}
