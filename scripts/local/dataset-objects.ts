/** Makes a token dataset in Node, as objects for R2. Benches on characters and the test run after a deployment use it. */
import { canonicalJson, objectKey, type StoredDataset, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";
import { trigramLoss, unigramLoss } from "../../shared/tokenizer/ngram.ts";
import { encodeTokenShard, MAX_SHARD_TOKENS } from "../../shared/tokenizer/token-shard.ts";

export interface StoredObject {
  key: string;
  bytes: Uint8Array<ArrayBuffer>;
}

export interface TokenizedText {
  tokenizer: Hash;
  vocabSize: number;
  /** The tokens that end a text. Absent for a single continuous text. */
  endTokens?: number[];
  train: Uint16Array;
  val: Uint16Array;
  /** UTF-8 bytes of the validation text. */
  valBytes: number;
}

export async function storedObject(kind: ObjectKind, bytes: Uint8Array<ArrayBuffer>): Promise<StoredObject & { hash: Hash }> {
  const hash = await sha256(bytes);
  return { key: objectKey(kind, hash), bytes, hash };
}

export const jsonBytes = (value: unknown): Uint8Array<ArrayBuffer> => Uint8Array.from(new TextEncoder().encode(canonicalJson(value)));

const asShards = (part: Uint16Array) => [async () => part];

/** The dataset, its hash, and every object that it names except the tokenizer. */
export async function datasetObjects(text: TokenizedText): Promise<{ hash: Hash; dataset: StoredDataset; objects: StoredObject[] }> {
  const { tokenizer, vocabSize, endTokens, train, val, valBytes } = text;
  const objects: StoredObject[] = [];
  const putShards = async (part: Uint16Array) => {
    const shards = [];
    for (let first = 0; first < part.length; first += MAX_SHARD_TOKENS) {
      const slice = part.subarray(first, first + MAX_SHARD_TOKENS);
      const { hash, ...object } = await storedObject("token-shard", encodeTokenShard(slice));
      objects.push(object);
      shards.push({ hash, tokens: slice.length });
    }
    return shards;
  };
  const dataset: StoredDataset = {
    format: 1,
    tokenizer,
    vocabSize,
    endTokens,
    train: await putShards(train),
    val: await putShards(val),
    trainTokens: train.length,
    valTokens: val.length,
    valBytes,
    documents: 1,
    unigramLoss: await unigramLoss(vocabSize, asShards(train), asShards(val)),
    trigramLoss: await trigramLoss(vocabSize, asShards(train), asShards(val)),
  };
  const { hash, ...object } = await storedObject("dataset", jsonBytes(dataset));
  objects.push(object);
  return { hash, dataset, objects };
}
