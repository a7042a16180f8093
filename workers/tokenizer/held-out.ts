/**
 * Chooses the validation documents: those with the lowest text hashes. They are about 5 % of the documents, at least one
 * document and 2 % of the bytes, and never all documents. The choice reads the whole snapshot, so the order of crawling has no
 * effect.
 */
import { z } from "zod";

/** The survey keeps this many of the lowest keys. Higher keys are never held out. */
const MAX_KEYS = 20_000;
const KEY_RANGE = 2 ** 32;
const HELD_OUT_SHARE = 0.05;
const MIN_BYTES_SHARE = 0.02;

export const surveySchema = z.object({
  /** [key, bytes], sorted by key. */
  keys: z.array(z.tuple([z.int(), z.int()])),
  bytes: z.int().nonnegative(),
});
export type Survey = z.infer<typeof surveySchema>;

/** A document's key: the first 32 bits of its text's hash. The documents with the lowest keys are held out. */
export function documentKey(sha256: string): number {
  return Number.parseInt(sha256.slice(0, 8), 16);
}

/** Adds documents to a survey. Equal texts share a key, so a text is never in both train and validation. */
export function addToSurvey(survey: Survey, documents: readonly (readonly [key: number, bytes: number])[]): Survey {
  const keys = new Map(survey.keys);
  let { bytes } = survey;
  for (const [key, size] of documents) {
    keys.set(key, (keys.get(key) ?? 0) + size);
    bytes += size;
  }
  return { keys: [...keys].toSorted(([a], [b]) => a - b).slice(0, MAX_KEYS), bytes };
}

/** The lowest key that is not held out. A document with more than half of all bytes is never held out. */
export function heldOutBelow(survey: Survey): number {
  const eligible = survey.keys.filter(([, bytes]) => bytes * 2 <= survey.bytes);
  let held = 0;
  let below = 0;
  // If every document is eligible, the last key stays in the training data.
  const last = eligible.length === survey.keys.length ? eligible.length - 1 : eligible.length;
  for (const [key, bytes] of eligible.slice(0, last)) {
    if (below > 0 && key >= HELD_OUT_SHARE * KEY_RANGE && held >= MIN_BYTES_SHARE * survey.bytes) break;
    held += bytes;
    below = key + 1;
  }
  return below;
}

export function isHeldOut(survey: Survey, below: number, key: number): boolean {
  if (key >= below) return false;
  const entry = survey.keys.find(([known]) => known === key);
  return entry !== undefined && entry[1] * 2 <= survey.bytes;
}
