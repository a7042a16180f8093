/** A found document as the corpus stores it: named by the hash of its text, dated, checked. */
import { documentSchema, type Document } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";
import type { FoundDocument } from "./sources/source.ts";

export async function corpusDocument(found: FoundDocument, source: string): Promise<Document> {
  const hash = await sha256(new TextEncoder().encode(found.text));
  return documentSchema.parse({ ...found, id: hash, source, fetchedAt: new Date().toISOString(), sha256: hash });
}
