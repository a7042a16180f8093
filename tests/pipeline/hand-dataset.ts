/** A dataset written directly into R2: 64 token ids in a simple pattern, 801 tokens for training, 101 for validation. */
import type { Hash } from "../../shared/artifacts.ts";
import { presetOf } from "../../shared/config.ts";
import { putJson, putObject } from "../../shared/store.ts";

export const TOKENIZER = "0".repeat(64);
const VOCAB = 64;
export const VAL_TOKENS = 101;
const SMALL = { width: 16, mlpWidth: 32, layers: 1, heads: 1, kvHeads: 1, headWidth: 16, context: 16 };
export const MODEL = { ...presetOf("tiny").model, ...SMALL, vocabSize: VOCAB };

export async function putHandDataset(bucket: R2Bucket): Promise<Hash> {
  const shard = async (tokens: number) => ({
    hash: await putObject(
      bucket,
      "token-shard",
      Uint16Array.from({ length: tokens }, (_, index) => (index * 7 + (index % 3)) % VOCAB),
    ),
    tokens,
  });
  // Two shards, so a window may cross their border.
  const [train, val] = [[await shard(500), await shard(301)], [await shard(VAL_TOKENS)]];
  const sizes = { trainTokens: 801, valTokens: VAL_TOKENS, valBytes: 300, documents: 3 };
  return putJson(bucket, "dataset", { format: 1, tokenizer: TOKENIZER, vocabSize: VOCAB, train, val, ...sizes, unigramLoss: 4 });
}
