/** Reads the documents of one corpus segment (JSONL, gzip). */
import { documentSchema, type Document, type Hash } from "../../shared/artifacts.ts";
import { getObject } from "../../shared/store.ts";

export async function readSegment(corpus: R2Bucket, hash: Hash): Promise<Document[]> {
  const bytes = await getObject(corpus, "segment", hash);
  const stream = new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(stream).text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => documentSchema.parse(JSON.parse(line)));
}
