/**
 * Parts of runs in R2, the latest kept in the isolate: what trainers upload is reduced, and what a reduction writes is
 * leased out, within the second. Storage is written before anybody hears of a part; the memory only saves reading it back.
 */
import { objectKey, type Hash } from "../../shared/artifacts.ts";
import { RecentBytes } from "../../shared/recent-bytes.ts";
import { getObject, putObject } from "../../shared/store.ts";

/** Small beside an isolate's 128 MB; the updates of two shards, weights and states of a model of a million parameters. */
const MAX_RECENT_BYTES = 16 * 1024 * 1024;

const recent = new RecentBytes(MAX_RECENT_BYTES);

/** Throws MissingObject, CorruptObject. */
export async function readPart(bucket: R2Bucket, hash: Hash, run: string): Promise<Uint8Array<ArrayBuffer>> {
  const key = objectKey("part", hash, run);
  const known = recent.get(key);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(await getObject(bucket, "part", hash, run));
  recent.keep(key, bytes);
  return bytes;
}

export async function writePart(bucket: R2Bucket, bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
  const hash = await putObject(bucket, "part", bytes, run);
  recent.keep(objectKey("part", hash, run), bytes);
  return hash;
}

/** Whoever deletes objects says so here. */
export const forgetParts = (keys: Iterable<string>): void => recent.forget(keys);
