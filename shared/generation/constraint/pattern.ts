/**
 * Regular expressions in JavaScript's syntax (with the flag u) as expressions over bytes.
 *
 * Supported: characters, `.`, classes, the escapes \d \w \s and their opposites, \n \r \t \f \v \0 \xHH \uHHHH \u{H}, groups,
 * `|`, the quantifiers * + ? {m} {m,} {m,n}, and the anchors ^ and $ at the ends of a whole pattern or of its alternatives.
 * Lazy quantifiers mean the same as greedy ones, because only whole texts are compared. Refused by name: references, assertions,
 * \b, \p{...}, and anchors elsewhere.
 */
import { namedError } from "../../errors.ts";
import { ANY_CHARACTER, complement, type Range } from "./characters.ts";
import type { Automaton } from "./automaton.ts";
import type { Expression } from "./expression.ts";

const MAX_PATTERN_LENGTH = 1000;
const MAX_COUNT = 1000;
const MAX_NESTING = 50;

const DIGITS: Range[] = [[0x30, 0x39]];
const WORD: Range[] = [...DIGITS, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const LINE_ENDS: Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const SPACE: Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const CLASSES: Readonly<Record<string, Range[]>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };
const SYNTAX = "^$\\.*+?()[]{}|/";

/** How a character of a set is written. */
export type CharacterWriter = (automaton: Automaton, ranges: readonly Range[]) => Expression;

/**
 * The texts that a pattern describes. `isWhole`: the pattern describes the whole text. Otherwise it is found somewhere in the
 * text, unless its anchors say where. Throws InvalidInput for other syntax.
 */
export function patternExpression(automaton: Automaton, pattern: string, write: CharacterWriter, isWhole: boolean): Expression {
  if (pattern.length > MAX_PATTERN_LENGTH)
    throw namedError("InvalidInput", `pattern: expected at most ${MAX_PATTERN_LENGTH} characters, got ${pattern.length}`);
  return new PatternReader(automaton, pattern, write).read(isWhole);
}

class PatternReader {
  readonly #automaton: Automaton;
  readonly #characters: readonly string[];
  readonly #write: CharacterWriter;
  #at = 0;
  #depth = 0;

  constructor(automaton: Automaton, pattern: string, write: CharacterWriter) {
    this.#automaton = automaton;
    this.#characters = [...pattern.toWellFormed()];
    this.#write = write;
  }

  read(isWhole: boolean): Expression {
    const anything = isWhole ? this.#automaton.empty : this.#automaton.repeat(this.#write(this.#automaton, ANY_CHARACTER), 0, Infinity);
    const options: Expression[] = [];
    do {
      const starts = this.#take("^");
      const body = this.#sequence();
      const ends = this.#take("$");
      options.push(this.#automaton.sequence(starts ? this.#automaton.empty : anything, body, ends ? this.#automaton.empty : anything));
    } while (this.#take("|"));
    if (this.#peek() !== undefined) this.#fail("expected the end of the pattern");
    return this.#automaton.choice(...options);
  }

  #peek(offset = 0): string | undefined {
    return this.#characters[this.#at + offset];
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #fail(expected: string): never {
    throw namedError("InvalidInput", `pattern: ${expected} at character ${this.#at}, got ${this.#peek() ?? "the end"}`);
  }

  #choice(): Expression {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return this.#automaton.choice(...options);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    for (let next = this.#peek(); next !== undefined && next !== "|" && next !== ")" && next !== "$"; next = this.#peek())
      parts.push(this.#quantified(this.#atom()));
    return this.#automaton.sequence(...parts);
  }

  #quantified(atom: Expression): Expression {
    const counts = this.#counts();
    if (counts === null) return atom;
    this.#take("?");
    if (this.#counts() !== null) this.#fail("expected no second quantifier");
    return this.#automaton.repeat(atom, ...counts);
  }

  #counts(): [min: number, max: number] | null {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    if (!this.#take("{")) return null;
    const min = this.#count();
    const max = this.#take(",") ? (this.#peek() === "}" ? Infinity : this.#count()) : min;
    if (!this.#take("}")) this.#fail("expected }");
    if (max < min) this.#fail("expected a greater number after the comma than before it");
    return [min, max];
  }

  #count(): number {
    let digits = "";
    for (let next = this.#peek(); next !== undefined && /\d/.test(next); next = this.#peek()) {
      digits += next;
      this.#at++;
    }
    if (digits === "" || Number(digits) > MAX_COUNT) this.#fail(`expected a count of at most ${MAX_COUNT}`);
    return Number(digits);
  }

  #atom(): Expression {
    const next = this.#peek()!;
    if (next === "(") return this.#group();
    if (next === "[") return this.#write(this.#automaton, this.#class());
    this.#at++;
    if (next === ".") return this.#write(this.#automaton, complement(LINE_ENDS));
    if (next === "\\") return this.#write(this.#automaton, this.#escape());
    if (next === "^") this.#fail("expected ^ only at the start of the pattern");
    if (SYNTAX.includes(next) && next !== "/") this.#fail(`expected ${next} after something, or with a backslash`);
    return this.#write(this.#automaton, [rangeOf(next)]);
  }

  #group(): Expression {
    this.#at++;
    if (++this.#depth > MAX_NESTING) this.#fail(`expected groups at most ${MAX_NESTING} deep`);
    if (this.#take("?")) {
      const isNamed = this.#peek() === "<" && this.#peek(1) !== "=" && this.#peek(1) !== "!";
      if (isNamed) while (this.#peek() !== undefined && !this.#take(">")) this.#at++;
      else if (!this.#take(":")) this.#fail("expected a group, assertions are not supported,");
    }
    const inner = this.#choice();
    if (!this.#take(")")) this.#fail("expected ), and $ only at the end of the pattern,");
    this.#depth--;
    return inner;
  }

  #escape(): Range[] {
    const next = this.#peek();
    this.#at++;
    if (next === undefined) return this.#fail("expected a character after the backslash");
    const named = CLASSES[next];
    if (named !== undefined && Object.hasOwn(CLASSES, next)) return named;
    if (Object.hasOwn(CONTROLS, next)) return [[CONTROLS[next]!, CONTROLS[next]!]];
    if (next === "x") return [this.#hexadecimal(2)];
    if (next === "u") return [this.#take("{") ? this.#hexadecimal(null) : this.#hexadecimal(4)];
    if (!SYNTAX.includes(next) && next !== "-") this.#fail(`expected an escape that is supported, got \\${next}, then`);
    return [rangeOf(next)];
  }

  /** `digits` null: up to a closing brace. */
  #hexadecimal(digits: number | null): Range {
    let text = "";
    while (digits === null ? !this.#take("}") : text.length < digits) {
      const next = this.#peek();
      if (next === undefined || !/[\dA-Fa-f]/.test(next) || text.length >= 6) this.#fail("expected hexadecimal digits");
      text += next;
      this.#at++;
    }
    const code = Number.parseInt(text, 16);
    if (Number.isNaN(code) || code > 0x10_ffff || (code >= 0xd800 && code <= 0xdfff)) this.#fail("expected the number of a character");
    return [code, code];
  }

  #class(): Range[] {
    this.#at++;
    const isNegated = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      const from = this.#classPart();
      if (this.#peek() !== "-" || this.#peek(1) === "]") {
        ranges.push(...from);
        continue;
      }
      this.#at++;
      const to = this.#classPart();
      const [[low = 0, lowEnd] = [], [high = -1, highEnd] = []] = [from[0], to[0]];
      if (from.length > 1 || to.length > 1 || low !== lowEnd || high !== highEnd || high < low)
        this.#fail("expected a range from a character to a later one");
      ranges.push([low, high]);
    }
    return isNegated ? complement(ranges) : ranges;
  }

  #classPart(): readonly Range[] {
    const next = this.#peek();
    if (next === undefined) this.#fail("expected ]");
    this.#at++;
    return next === "\\" ? this.#escape() : [rangeOf(next!)];
  }
}

function rangeOf(character: string): Range {
  const code = character.codePointAt(0)!;
  return [code, code];
}
