/**
 * The features of a text in its context, as 16-bit hashes. A classifier has 2^b inputs and
 * reads the lowest b bits of each hash. Two features may share an input; with a few hundred features and 1,024 inputs this is
 * seldom and does little harm.
 *
 * - Each key of the context gives a feature for each part of its rendered value: `time: morning, 06:00` gives "time morning" and
 *   "time 06:00". So hours that the lessons lack share the part of the day.
 * - Each word of the text gives a feature.
 *
 * Case, punctuation and the order of words have no meaning. Pairs of words as further features made held-out phrasings worse
 * (scripts/bench/README.md). The first MAX_FEATURES different features count, context first.
 */
import { contextLines, type Context } from "./context.ts";
import { hashText } from "./hash-text.ts";

/** Features of an example; more are cut off. A question has about ten. */
export const MAX_FEATURES = 126;

export interface Feature {
  name: string;
  /** 16 bits. */
  hash: number;
}

/** The names of the features, each once. */
function namesOf(text: string, context: Context): Set<string> {
  const names = new Set<string>();
  for (const { key, value } of contextLines(context))
    for (const part of value.split(", ")) names.add(`${normalized(key)} ${normalized(part)}`.trim());
  for (const word of normalized(text).split(" ")) if (word !== "") names.add(`word ${word}`);
  return names;
}

/** Lower-case words of letters, marks and digits, separated by one space. The colon of a clock time stays. */
const normalized = (text: string): string =>
  (
    text
      .normalize("NFKC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}:]+/gu) ?? []
  ).join(" ");

export function featuresOf(text: string, context: Context): Feature[] {
  return [...namesOf(text, context)].slice(0, MAX_FEATURES).map((name) => ({ name, hash: hashText(name) & 0xffff }));
}

/** The input of a network with `width` features, a power of two, that a feature activates. */
export const inputOf = (hash: number, width: number): number => hash & (width - 1);

/** The inputs that features activate, each once, in the order of the features. */
export const inputsOf = (hashes: ArrayLike<number>, width: number): number[] => [
  ...new Set(Array.from(hashes, (hash) => inputOf(hash, width))),
];
