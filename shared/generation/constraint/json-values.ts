/**
 * JSON values (RFC 8259) as expressions. Between values there is no white space except one optional space after a comma or a
 * colon. Numbers have at most 15 digits before the point, so every number is finite, and integers are exact.
 */
import { ANY_CHARACTER, jsonCharacter } from "./characters.ts";
import type { Automaton } from "./automaton.ts";
import type { Expression } from "./expression.ts";

const MAX_DIGITS = 15;
export const MAX_INTEGER = 10 ** MAX_DIGITS - 1;
const DIGIT = [0x30, 0x39] as const;
/** The name of any value and of its recursion. */
const ANY = "any value";

const comma = (automaton: Automaton) => automaton.sequence(automaton.text(","), automaton.optional(automaton.text(" ")));

/** A string of any `min`..`max` characters. */
export function stringOf(automaton: Automaton, min = 0, max = Infinity): Expression {
  return quoted(automaton, automaton.repeat(jsonCharacter(automaton, ANY_CHARACTER), min, max));
}

export function quoted(automaton: Automaton, content: Expression): Expression {
  return automaton.sequence(automaton.text('"'), content, automaton.text('"'));
}

export function number(automaton: Automaton): Expression {
  const digits = (min: number, max: number) => automaton.repeat(automaton.byte(DIGIT), min, max);
  const whole = automaton.choice(automaton.text("0"), automaton.sequence(automaton.byte([0x31, 0x39]), digits(0, MAX_DIGITS - 1)));
  const sign = automaton.optional(automaton.choice(automaton.text("+"), automaton.text("-")));
  const exponent = automaton.sequence(automaton.choice(automaton.text("e"), automaton.text("E")), sign, digits(1, 2));
  return automaton.sequence(
    automaton.optional(automaton.text("-")),
    whole,
    automaton.optional(automaton.sequence(automaton.text("."), digits(1, MAX_DIGITS))),
    automaton.optional(exponent),
  );
}

/** The integers from `min` to `max`; none if there is no such integer. */
export function integerBetween(automaton: Automaton, min: number, max: number): Expression {
  const [low, high] = [Math.ceil(min), Math.floor(max)];
  const negative = naturalBetween(automaton, Math.max(1, -high), -low);
  return automaton.choice(automaton.sequence(automaton.text("-"), negative), naturalBetween(automaton, Math.max(0, low), high));
}

function naturalBetween(automaton: Automaton, low: number, high: number): Expression {
  if (low > high) return automaton.none;
  const options: Expression[] = [];
  for (let length = String(low).length; length <= String(high).length; length++) {
    const from = Math.max(low, length === 1 ? 0 : 10 ** (length - 1));
    options.push(digitsBetween(automaton, String(from), String(Math.min(high, 10 ** length - 1))));
  }
  return automaton.choice(...options);
}

/** The digits of the numbers from `low` to `high`, which are equally long. */
function digitsBetween(automaton: Automaton, low: string, high: string): Expression {
  const digits = low.length;
  // Without this case, the work below would double with every digit.
  if (/^0*$/.test(low) && /^9*$/.test(high)) return automaton.repeat(automaton.byte(DIGIT), digits, digits);
  const [first, last] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  const digit = (from: number, to: number) => automaton.byte([0x30 + from, 0x30 + to]);
  if (first === last) return automaton.sequence(digit(first, first), digitsBetween(automaton, lowRest, highRest));
  const [least, most] = ["0".repeat(digits - 1), "9".repeat(digits - 1)];
  return automaton.choice(
    automaton.sequence(digit(first, first), digitsBetween(automaton, lowRest, most)),
    ...(last - first > 1 ? [automaton.sequence(digit(first + 1, last - 1), digitsBetween(automaton, least, most))] : []),
    automaton.sequence(digit(last, last), digitsBetween(automaton, least, highRest)),
  );
}

/** Exactly this value. */
export function literal(automaton: Automaton, value: unknown): Expression {
  return automaton.text(JSON.stringify(value));
}

/** A list that begins with the values `first` and goes on with `further` values of the form `item`. */
export function listOf(automaton: Automaton, first: readonly Expression[], item: Expression, min: number, max: number): Expression {
  const separator = comma(automaton);
  const following = automaton.sequence(separator, item);
  const some = (count: number, most: number): Expression => {
    if (first.length > 0) return automaton.repeat(following, count, most);
    const one = automaton.sequence(item, automaton.repeat(following, Math.max(0, count - 1), most - 1));
    if (most === 0) return automaton.empty;
    return count === 0 ? automaton.optional(one) : one;
  };
  const head = first.flatMap((value, index) => (index === 0 ? [value] : [separator, value]));
  return automaton.sequence(automaton.text("["), ...head, some(min, max), automaton.text("]"));
}

export interface Member {
  name: string;
  value: Expression;
  isRequired: boolean;
}

/** An object with these members in this order. Members that are not required may be left out. */
export function objectOf(automaton: Automaton, members: readonly Member[]): Expression {
  const separator = comma(automaton);
  // From the last member to the first: what may follow when a member went before, and when none did.
  let afterSome = automaton.empty;
  let afterNone = automaton.empty;
  for (const { name, value, isRequired } of members.toReversed()) {
    const member = automaton.sequence(memberOf(automaton, literal(automaton, name), value), afterSome);
    const withComma = automaton.sequence(separator, member);
    afterNone = isRequired ? member : automaton.choice(member, afterNone);
    afterSome = isRequired ? withComma : automaton.choice(withComma, afterSome);
  }
  return automaton.sequence(automaton.text("{"), afterNone, automaton.text("}"));
}

/** An object of any members whose values have the form `value`. */
export function mapOf(automaton: Automaton, value: Expression): Expression {
  const member = memberOf(automaton, stringOf(automaton), value);
  const further = automaton.repeat(automaton.sequence(comma(automaton), member), 0, Infinity);
  return automaton.sequence(automaton.text("{"), automaton.optional(automaton.sequence(member, further)), automaton.text("}"));
}

function memberOf(automaton: Automaton, name: Expression, value: Expression): Expression {
  return automaton.sequence(name, automaton.text(":"), automaton.optional(automaton.text(" ")), value);
}

export function anyValue(automaton: Automaton): Expression {
  const any = automaton.name(ANY);
  const constants = ["true", "false", "null"].map((word) => automaton.text(word));
  const list = listOf(automaton, [], any, 0, Infinity);
  automaton.define(ANY, automaton.choice(stringOf(automaton), number(automaton), ...constants, list, mapOf(automaton, any)));
  return any;
}

export function anyObject(automaton: Automaton): Expression {
  return mapOf(automaton, anyValue(automaton));
}
