/**
 * Sets of characters, and their bytes. A text is UTF-8, so a character outside ASCII is a sequence of bytes (RFC 3629, 4).
 * In a JSON string some characters are written with a backslash (RFC 8259, 7).
 */
import type { Automaton } from "./automaton.ts";
import type { Expression } from "./expression.ts";

/** Code points, both ends included. */
export type Range = readonly [from: number, to: number];

const LAST = 0x10_ffff;
const SURROGATES: Range = [0xd800, 0xdfff];
/** The last code point of each length in UTF-8. */
const LAST_OF_LENGTH = [0x7f, 0x7ff, 0xffff, LAST];
/** The characters that a JSON string escapes with one letter. */
const SHORT_ESCAPES: Readonly<Record<number, string>> = { 8: "b", 9: "t", 10: "n", 12: "f", 13: "r", 34: '"', 92: "\\" };

/** The code points that are in none of the ranges; surrogates are no characters. */
export function complement(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges, SURROGATES].toSorted(([a], [b]) => a - b);
  const others: Range[] = [];
  let from = 0;
  for (const [first, last] of sorted) {
    if (first > from) others.push([from, first - 1]);
    from = Math.max(from, last + 1);
  }
  return from <= LAST ? [...others, [from, LAST]] : others;
}

export const ANY_CHARACTER = complement([]);

/** A character as its UTF-8 bytes. */
export function plainCharacter(automaton: Automaton, ranges: readonly Range[]): Expression {
  // The complement of the complement has no surrogates and no overlaps.
  const pieces = complement(complement(ranges)).flatMap(([from, to]) =>
    LAST_OF_LENGTH.map((last, index): [Range, number] => [
      [Math.max(from, index === 0 ? 0 : LAST_OF_LENGTH[index - 1]! + 1), Math.min(to, last)],
      index + 1,
    ]),
  );
  return automaton.choice(...pieces.filter(([[from, to]]) => from <= to).map(([range, length]) => utf8(automaton, range, length)));
}

/** The UTF-8 forms of a range of code points that all have `length` bytes. */
function utf8(automaton: Automaton, [from, to]: Range, length: number): Expression {
  if (length === 1) return automaton.byte([from, to]);
  return continued(automaton, [from, to], length, [0, 0, 0xc0, 0xe0, 0xf0][length]!);
}

/** `mark` are the bits that the first byte has besides the code point's. */
function continued(automaton: Automaton, [from, to]: Range, length: number, mark: number): Expression {
  const unit = 64 ** (length - 1);
  const [first, last] = [Math.floor(from / unit), Math.floor(to / unit)];
  if (length === 1) return automaton.byte([mark + from, mark + to]);
  const after = (low: number, high: number) => continued(automaton, [low, high], length - 1, 0x80);
  const head = (low: number, high: number) => automaton.byte([mark + low, mark + high]);
  if (first === last) return automaton.sequence(head(first, first), after(from - first * unit, to - first * unit));
  const all = after(0, unit - 1);
  return automaton.choice(
    automaton.sequence(head(first, first), after(from - first * unit, unit - 1)),
    ...(last - first > 1 ? [automaton.sequence(head(first + 1, last - 1), all)] : []),
    automaton.sequence(head(last, last), after(0, to - last * unit)),
  );
}

/** A character as a JSON string has it. */
export function jsonCharacter(automaton: Automaton, ranges: readonly Range[]): Expression {
  const escaped: number[] = [...Array.from({ length: 0x20 }, (_, code) => code), 0x22, 0x5c];
  const plain = complement([...complement(ranges), ...escaped.map((code): Range => [code, code])]);
  const escapes = escaped
    .filter((code) => ranges.some(([from, to]) => from <= code && code <= to))
    .map((code) => automaton.text(`\\${SHORT_ESCAPES[code] ?? `u${code.toString(16).padStart(4, "0")}`}`));
  return automaton.choice(plainCharacter(automaton, plain), ...escapes);
}
