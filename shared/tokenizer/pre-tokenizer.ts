/**
 * Splits text into words; merges never cross the border of a word. The words joined give the text again. There are two rules:
 * GPT-2's (Radford et al., 2019), and Qwen2's, which runtimes expect for a Qwen3 model.
 *
 * Both rules are published as regular expressions. This file implements them as loops over kinds of characters: about twice as
 * fast, linear time, and no backtracking stack. White space is Unicode's White_Space, as in Hugging Face's Rust library.
 * JavaScript's `\s` differs: it includes U+FEFF and excludes U+0085.
 */

/** The rules as regular expressions, as written in files. ByteLevel has `gpt2` built in, so a file may omit that expression. */
export const PATTERNS = {
  gpt2: String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  qwen2: String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
} as const;
export type PreTokenizer = keyof typeof PATTERNS;

/** Kinds of characters. SPACE is all white space except line breaks (CR and LF). */
const [OTHER, LETTER, NUMBER, SPACE, LINE_BREAK] = [0, 1, 2, 3, 4] as const;
const KIND_PATTERNS = [
  [LETTER, /\p{L}+/gu],
  [NUMBER, /\p{N}+/gu],
  [SPACE, /\p{White_Space}+/gu],
  [LINE_BREAK, /[\r\n]+/gu],
] as const;
const ASTRAL_LETTER = /^\p{L}$/u;
const ASTRAL_NUMBER = /^\p{N}$/u;

const BLANK = 0x20;
const APOSTROPHE = 0x27;
/** The Rust library runs the pattern with Oniguruma. Where case is ignored, Oniguruma also matches the long s with "s". */
const LONG_S = "\u017f";

const UNITS = 65_536;
let unitKinds: Uint8Array | undefined;

/** The kind of each UTF-16 unit; surrogates are OTHER. Built at first use, because a Worker has little time to start. */
function kindsOfUnits(): Uint8Array {
  if (unitKinds !== undefined) return unitKinds;
  const kinds = new Uint8Array(UNITS);
  const units = new TextDecoder("utf-16le").decode(Uint16Array.from({ length: UNITS }, (_, unit) => unit));
  for (const [kind, pattern] of KIND_PATTERNS)
    for (const { 0: run, index } of units.matchAll(pattern)) kinds.fill(kind, index, index + run.length);
  unitKinds = kinds;
  return kinds;
}

/** Splits `text` by a rule. A lone surrogate counts as punctuation. */
export function splitWords(text: string, rule: PreTokenizer): string[] {
  const characters = new Characters(text);
  const words: string[] = [];
  for (let at = 0; at < text.length;) {
    const end = rule === "gpt2" ? endOfGpt2Word(characters, at) : endOfQwen2Word(characters, at);
    words.push(text.slice(at, end));
    at = end;
  }
  return words;
}

/** A text with the kinds of its characters. Positions and widths are in UTF-16 units. */
class Characters {
  readonly text: string;
  readonly #kinds = kindsOfUnits();

  constructor(text: string) {
    this.text = text;
  }

  /** The kind of the character at a position; -1 at the end of the text. */
  kind(at: number): number {
    if (at >= this.text.length) return -1;
    const unit = this.text.charCodeAt(at);
    return (unit & 0xfc00) === 0xd800 ? this.#astralKind(at) : this.#kinds[unit]!;
  }

  width(at: number): number {
    return this.text.codePointAt(at)! > 0xffff ? 2 : 1;
  }

  /** The end of the run of characters of this kind that starts at `at`; `at` if the character there has another kind. */
  endOfRun(at: number, kind: number): number {
    const { text } = this;
    let end = at;
    while (end < text.length) {
      const unit = text.charCodeAt(end);
      if ((unit & 0xfc00) !== 0xd800) {
        if (this.#kinds[unit] !== kind) break;
        end++;
      } else {
        if (this.#astralKind(end) !== kind) break;
        end += this.width(end);
      }
    }
    return end;
  }

  /** The kind of a character above U+FFFF. None of them is white space. */
  #astralKind(at: number): number {
    const character = String.fromCodePoint(this.text.codePointAt(at)!);
    if (ASTRAL_LETTER.test(character)) return LETTER;
    return ASTRAL_NUMBER.test(character) ? NUMBER : OTHER;
  }
}

function endOfGpt2Word(characters: Characters, at: number): number {
  const { text } = characters;
  const first = text.charCodeAt(at);
  if (first === APOSTROPHE) {
    const length = contractionLength(text.slice(at + 1, at + 3));
    if (length > 0) return at + 1 + length;
  }
  // A space belongs to the next word.
  const start = first === BLANK ? at + 1 : at;
  const kind = characters.kind(start);
  if (kind === LETTER || kind === NUMBER || kind === OTHER) return characters.endOfRun(start, kind);
  return endOfSpace(at, endOfWhiteSpace(characters, at).end, text.length);
}

function endOfQwen2Word(characters: Characters, at: number): number {
  const { text } = characters;
  const kind = characters.kind(at);
  if (kind === LETTER) return characters.endOfRun(at, LETTER);
  const next = at + characters.width(at);
  if (kind === NUMBER) return next;
  const first = text.charCodeAt(at);
  if (first === APOSTROPHE) {
    const length = contractionLength(
      text
        .slice(at + 1, at + 3)
        .toLowerCase()
        .replace(LONG_S, "s"),
    );
    if (length > 0) return at + 1 + length;
  }
  const nextKind = characters.kind(next);
  if (kind !== LINE_BREAK && nextKind === LETTER) return characters.endOfRun(next, LETTER);
  if (kind === OTHER || (first === BLANK && nextKind === OTHER)) return characters.endOfRun(characters.endOfRun(next, OTHER), LINE_BREAK);
  const { end, afterBreak } = endOfWhiteSpace(characters, at);
  return afterBreak ?? endOfSpace(at, end, text.length);
}

/** The length of a contraction ("s", "t", "re", "ve", "m", "ll" or "d") after an apostrophe; 0 if there is none. */
function contractionLength(after: string): number {
  if (/^[stmd]/.test(after)) return 1;
  return /^(?:re|ve|ll)/.test(after) ? 2 : 0;
}

/** The end of the white space at `at`, and the position after its last line break (undefined without line breaks). */
function endOfWhiteSpace(characters: Characters, at: number): { end: number; afterBreak: number | undefined } {
  let end = at;
  let afterBreak: number | undefined;
  for (let kind = characters.kind(end); kind === SPACE || kind === LINE_BREAK; kind = characters.kind(end)) {
    end++;
    if (kind === LINE_BREAK) afterBreak = end;
  }
  return { end, afterBreak };
}

/** The last character of white space belongs to the next word, unless the text ends there or the white space has only one character. */
function endOfSpace(at: number, end: number, length: number): number {
  return end === length || end === at + 1 ? end : end - 1;
}
