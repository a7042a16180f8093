/**
 * The filters for prose of web pages, with their published thresholds: Gopher's quality and repetition rules (Rae et al. 2021,
 * arxiv.org/abs/2112.11446, appendix A.1.1) and FineWeb's rules on lines (Penedo et al. 2024, arxiv.org/abs/2406.17557, section
 * 3.5). Rules that count words hold only for scripts that separate words by spaces. The rule on stop words holds only for English.
 */
import { repeatedOf, repetitionOf, type Repetition } from "./repetition.ts";

const MIN_WORDS = 50;
const MAX_WORDS = 100_000;
const [MIN_MEAN_LENGTH, MAX_MEAN_LENGTH] = [3, 10];
const MAX_SYMBOLS_PER_WORD = 0.1;
const MAX_BULLET_LINES = 0.9;
const MAX_ELLIPSIS_LINES = 0.3;
const MIN_ALPHABETIC_WORDS = 0.8;
const MIN_STOP_WORDS = 2;
const STOP_WORDS = new Set(["the", "be", "to", "of", "and", "that", "have", "with"]);
/** FineWeb: at least 12 % of lines end in punctuation; under 67 % are short; repeated lines have at most 10 % of the characters. */
const MIN_ENDED_LINES = 0.12;
const SHORT_LINE = 30;
const MAX_SHORT_LINES = 0.67;
const MAX_REPEATED_LINE_CHARACTERS = 0.1;
/** Languages that are written without spaces between words. */
const UNSPACED = /^(?:zh|ja|th|lo|km|my|bo|yue|wuu|cmn)\b/;

export type QualityRule =
  | "gopher-words"
  | "gopher-word-length"
  | "gopher-symbols"
  | "gopher-bullets"
  | "gopher-ellipses"
  | "gopher-letters"
  | "gopher-stop-words"
  | Repetition
  | "fineweb-punctuation"
  | "fineweb-short-lines"
  | "fineweb-repeated-lines";

/** The first rule that a text breaks; null if it passes. `lang` is a BCP 47 tag. */
export function brokenRule(text: string, lang: string): QualityRule | null {
  const words = text.split(/\s+/).filter((word) => word !== "");
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (!UNSPACED.test(lang)) {
    const rule = brokenWordRule(text, words, lang) ?? repetitionOf(text, words);
    if (rule !== null) return rule;
  }
  return brokenLineRule(lines);
}

function brokenWordRule(text: string, words: readonly string[], lang: string): QualityRule | null {
  // Words without a letter or digit are punctuation.
  const real = words.filter((word) => /[\p{L}\p{N}]/u.test(word));
  if (real.length < MIN_WORDS || real.length > MAX_WORDS) return "gopher-words";
  const meanLength = real.reduce((sum, word) => sum + word.length, 0) / real.length;
  if (meanLength < MIN_MEAN_LENGTH || meanLength > MAX_MEAN_LENGTH) return "gopher-word-length";
  const hashes = text.match(/#/g)?.length ?? 0;
  const ellipses = text.match(/\.\.\.|…/g)?.length ?? 0;
  if (Math.max(hashes, ellipses) > MAX_SYMBOLS_PER_WORD * words.length) return "gopher-symbols";
  if (words.filter((word) => /\p{L}/u.test(word)).length < MIN_ALPHABETIC_WORDS * words.length) return "gopher-letters";
  if (!/^en\b/.test(lang)) return null;
  const found = new Set(words.map((word) => word.toLowerCase()).filter((word) => STOP_WORDS.has(word)));
  return found.size < MIN_STOP_WORDS ? "gopher-stop-words" : null;
}

function brokenLineRule(lines: readonly string[]): QualityRule | null {
  const share = (test: RegExp) => lines.filter((line) => test.test(line)).length / lines.length;
  if (share(/^[-*•‣▪◦]/) > MAX_BULLET_LINES) return "gopher-bullets";
  if (share(/(?:\.\.\.|…)$/) > MAX_ELLIPSIS_LINES) return "gopher-ellipses";
  if (share(/[.!?。！？।"”»')\]؟]$/) < MIN_ENDED_LINES) return "fineweb-punctuation";
  if (lines.filter(({ length }) => length < SHORT_LINE).length > MAX_SHORT_LINES * lines.length) return "fineweb-short-lines";
  const all = lines.reduce((sum, { length }) => sum + length, 0);
  return repeatedOf(lines).characters > MAX_REPEATED_LINE_CHARACTERS * all ? "fineweb-repeated-lines" : null;
}
