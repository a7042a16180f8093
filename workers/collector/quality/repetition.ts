/**
 * How much of a text repeats itself, by the measures of Gopher (Rae et al. 2021, arxiv.org/abs/2112.11446, table A1) and with its
 * thresholds: shares of repeated lines and paragraphs, of the most frequent 2- to 4-grams, and of repeated 5- to 10-grams. Shares
 * of n-grams count characters.
 */

/** The largest share of the text that a repeated n-gram may have. */
const TOP = [
  [2, 0.2],
  [3, 0.18],
  [4, 0.16],
] as const;
const DUPLICATE = [
  [5, 0.15],
  [6, 0.14],
  [7, 0.13],
  [8, 0.12],
  [9, 0.11],
  [10, 0.1],
] as const;
const MAX_DUPLICATE_LINES = 0.3;
const MAX_DUPLICATE_LINE_CHARACTERS = 0.2;

export type Repetition = "gopher-duplicate-lines" | "gopher-duplicate-paragraphs" | "gopher-top-ngram" | "gopher-duplicate-ngrams";

/** The first measure that is too large; null if none is. `words` are the words of the text in order. */
export function repetitionOf(text: string, words: readonly string[]): Repetition | null {
  if (repeats(text, text.split(/\n\n+/))) return "gopher-duplicate-paragraphs";
  if (repeats(text, text.split(/\n+/))) return "gopher-duplicate-lines";
  if (TOP.some(([n, limit]) => topCharacters(words, n) > limit * text.length)) return "gopher-top-ngram";
  if (DUPLICATE.some(([n, limit]) => duplicateCharacters(words, n) > limit * text.length)) return "gopher-duplicate-ngrams";
  return null;
}

/** The pieces that have occurred before, and their characters. */
export function repeatedOf(pieces: readonly string[]): { count: number; characters: number } {
  const seen = new Set<string>();
  let [count, characters] = [0, 0];
  for (const piece of pieces) {
    if (!seen.has(piece)) seen.add(piece);
    else {
      count++;
      characters += piece.length;
    }
  }
  return { count, characters };
}

/** True if too many pieces of a text, or too many of its characters, have occurred before. */
function repeats(text: string, split: readonly string[]): boolean {
  const pieces = split.map((piece) => piece.trim()).filter((piece) => piece !== "");
  const { count, characters } = repeatedOf(pieces);
  return count > MAX_DUPLICATE_LINES * pieces.length || characters > MAX_DUPLICATE_LINE_CHARACTERS * text.length;
}

/** The characters of all occurrences of the most frequent n-gram. One that occurs once repeats nothing. */
function topCharacters(words: readonly string[], n: number): number {
  const counts = new Map<string, number>();
  let [top, most] = ["", 1];
  for (let at = 0; at + n <= words.length; at++) {
    const gram = words.slice(at, at + n).join(" ");
    const count = (counts.get(gram) ?? 0) + 1;
    counts.set(gram, count);
    if (count > most || (count === most && gram.length > top.length)) [top, most] = [gram, count];
  }
  return most === 1 ? 0 : top.length * most;
}

/** The characters of n-grams that have occurred before. Overlapping n-grams count once. */
function duplicateCharacters(words: readonly string[], n: number): number {
  const seen = new Set<string>();
  let characters = 0;
  for (let at = 0; at + n <= words.length;) {
    const gram = words.slice(at, at + n);
    const joined = gram.join(" ");
    if (seen.has(joined)) {
      characters += joined.length - (n - 1);
      at += n;
    } else {
      seen.add(joined);
      at++;
    }
  }
  return characters;
}
