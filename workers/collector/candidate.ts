/**
 * Turns a found document into a candidate for the corpus: repaired, masked and judged by the quality that its source needs, checked,
 * dated, and named by the hash of its text. quality/near-duplicates.ts compares the candidate with the corpus.
 */
import { documentSchema, type Document } from "../../shared/artifacts.ts";
import type { Quality } from "../../shared/contracts/sources.ts";
import { sha256 } from "../../shared/store.ts";
import { brokenRule } from "./quality/filters.ts";
import { languageOf } from "./quality/language.ts";
import { mask, type Masked } from "./quality/mask.ts";
import { sketchOf, type Sketch } from "./quality/minhash.ts";
import { repair } from "./quality/repair.ts";
import type { Refusal } from "./refusal.ts";
import type { FoundDocument } from "./sources/source.ts";

export interface Candidate {
  document: Document;
  /** Null if the source wants texts as they are; then near-duplicates are kept. */
  sketch: Sketch | null;
  /** How many pieces of personal data were masked. */
  masked: Partial<Record<Masked, number>>;
}

/** The candidate, or the reason why the document is not one. */
export async function candidateOf(found: FoundDocument, source: string, quality: Quality): Promise<Candidate | Refusal> {
  if (quality === "none") return { document: await named(found, source), sketch: null, masked: {} };
  const { text, counts } = mask(repair(found.text));
  const isJudged = quality === "web";
  const identified = isJudged || found.lang === "" ? languageOf(text) : "";
  const lang = found.lang || identified;
  // A page may state the language of its template. The rules need the language of its text.
  const rule = isJudged ? brokenRule(text, identified || lang) : null;
  if (rule !== null) return { kind: "quality", rule };
  return { document: await named({ ...found, text, title: repair(found.title), lang }, source), sketch: sketchOf(text), masked: counts };
}

async function named(found: FoundDocument, source: string): Promise<Document> {
  const hash = await sha256(new TextEncoder().encode(found.text));
  const url = found.part === undefined ? found.url : `${found.url}#${encodeURI(found.part).replaceAll("#", "%23")}`;
  return documentSchema.parse({ ...found, url, id: hash, source, fetchedAt: new Date().toISOString(), sha256: hash });
}
