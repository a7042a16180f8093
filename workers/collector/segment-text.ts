/** The text of a stored segment: one document in JSON a line. A removal leaves empty lines. */
import type { Hash } from "../../shared/artifacts.ts";
import { getObject } from "../../shared/store.ts";

export async function segmentText(bucket: R2Bucket, hash: Hash): Promise<string> {
  const stored = new Response(await getObject(bucket, "segment", hash)).body!;
  return new Response(stored.pipeThrough(new DecompressionStream("gzip"))).text();
}
