/** Reads one document of the corpus as it is stored. */
import { documentSchema, type Document } from "../../shared/artifacts.ts";
import { getObject } from "../../shared/store.ts";
import type { Place } from "./document-index.ts";

/** Reads segments until one has the document. Null if none has it. */
export async function readDocument(bucket: R2Bucket, sha256: string, place: Place): Promise<Document | null> {
  if ("json" in place) return documentSchema.parse(JSON.parse(place.json));
  for (const hash of place.segments) {
    const bytes = await getObject(bucket, "segment", hash);
    const text = await new Response(new Response(bytes).body!.pipeThrough(new DecompressionStream("gzip"))).text();
    // Only a line with the hash is parsed. Another document's text may contain the hash, so the field is compared too.
    for (const line of text.split("\n")) {
      if (!line.includes(sha256)) continue;
      const document = documentSchema.parse(JSON.parse(line));
      if (document.sha256 === sha256) return document;
    }
  }
  return null;
}
