/** Reads one document of the corpus as it is stored. */
import { documentSchema, type Document } from "../../shared/artifacts.ts";
import type { Place } from "./document-index.ts";
import { segmentText } from "./segment-text.ts";

/** Reads segments until one has the document. Null if none has it. */
export async function readDocument(bucket: R2Bucket, sha256: string, place: Place): Promise<Document | null> {
  if ("json" in place) return documentSchema.parse(JSON.parse(place.json));
  for (const hash of place.segments) {
    // Only a line with the hash is parsed. Another document's text may contain the hash, so the field is compared too.
    for (const line of (await segmentText(bucket, hash)).split("\n")) {
      if (!line.includes(sha256)) continue;
      const document = documentSchema.parse(JSON.parse(line));
      if (document.sha256 === sha256) return document;
    }
  }
  return null;
}
