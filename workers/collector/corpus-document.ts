/** Turns a found document into the document that the corpus stores: checked, dated, and named by the hash of its text. */
import { documentSchema, type Document } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";
import type { FoundDocument } from "./sources/source.ts";

export async function corpusDocument(found: FoundDocument, source: string): Promise<Document> {
  const hash = await sha256(new TextEncoder().encode(found.text));
  return documentSchema.parse({ ...found, id: hash, source, fetchedAt: new Date().toISOString(), sha256: hash });
}
