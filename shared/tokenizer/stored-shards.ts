/** Token shards in R2. */
import type { Hash, TokenShardEntry } from "../artifacts.ts";
import { getObject, putObject } from "../store.ts";
import { decodeTokenShard, encodeTokenShard } from "./token-shard.ts";

/** Stores numbers as a token shard. */
export async function putTokenShard(bucket: R2Bucket, numbers: ArrayLike<number>): Promise<TokenShardEntry> {
  return { hash: await putObject(bucket, "token-shard", encodeTokenShard(numbers)), tokens: numbers.length };
}

/** The numbers of a token shard. Throws `MissingObject`, `CorruptObject`. */
export async function getTokenShard(bucket: R2Bucket, hash: Hash): Promise<Uint16Array> {
  return decodeTokenShard(new Uint8Array(await getObject(bucket, "token-shard", hash)));
}

/** The count of numbers in some shards. */
export const numbersOf = (shards: readonly TokenShardEntry[]): number => shards.reduce((sum, { tokens }) => sum + tokens, 0);
