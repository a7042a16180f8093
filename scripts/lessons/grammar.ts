/**
 * The grammar that Tiffin's own lessons are drawn from: families of questions whose answer depends on the context of the
 * request. A family states each answer's probability, so lessons can be drawn with it and a trained model measured against it.
 *
 * Every fourth phrasing of a family is held out: no lesson shows it, and the bench asks it. So is every sixth context of a
 * family whose contexts combine several values: the model has seen each value, but not together.
 */
export type Context = Readonly<Record<string, string>>;

export interface Answer {
  text: string;
  /** The probabilities of a case's answers add to 1. */
  probability: number;
}

/** One situation of a family: a context and what may be answered in it. */
export interface Case {
  context: Context;
  answers: readonly Answer[];
}

export interface Family {
  name: string;
  /** Ways to ask; each must mean the same in every case. */
  phrasings: readonly string[];
  cases: readonly Case[];
  /** True where a context can be answered from other contexts; only then some are held out. */
  combines: boolean;
  /** Share of the lessons, relative to the other families. */
  weight: number;
}

/** One question with its true answers. */
export interface Question extends Case {
  family: string;
  text: string;
}

/** The one right answer. */
export const surely = (text: string): readonly Answer[] => [{ text, probability: 1 }];

/** Answers from a table of texts and whole percentages; a sum other than 100 throws. */
export function percent(shares: Readonly<Record<string, number>>): readonly Answer[] {
  const sum = Object.values(shares).reduce((total, share) => total + share, 0);
  if (sum !== 100) throw new Error(`lessons: expected shares that add to 100 %, got ${sum} of ${Object.keys(shares).join(", ")}`);
  return Object.entries(shares).map(([text, share]) => ({ text, probability: share / 100 }));
}

const PHRASING_STRIDE = 4;
const CONTEXT_STRIDE = 6;

/** True for the phrasings that no lesson shows: the last of every four. */
export const isHeldOutPhrasing = (index: number): boolean => index % PHRASING_STRIDE === PHRASING_STRIDE - 1;

/** True for the contexts that no lesson shows. */
export const isHeldOutCase = ({ combines }: Family, index: number): boolean => combines && index % CONTEXT_STRIDE === CONTEXT_STRIDE - 1;

/** A hash of a text in 0..2^32-1 (FNV-1a). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

/** A family in which each context stands alone. */
export function family(name: string, weight: number, phrasings: readonly string[], cases: readonly Case[]): Family {
  return { name, weight, phrasings, cases, combines: false };
}

/** A family whose contexts combine values, in an order that spreads the held-out ones evenly over its table. */
export function combinations(name: string, weight: number, phrasings: readonly string[], cases: readonly Case[]): Family {
  const key = ({ context }: Case) => hashText(`${name} ${JSON.stringify(context)}`);
  return { name, weight, phrasings, cases: cases.toSorted((a, b) => key(a) - key(b)), combines: true };
}

/** Hours of a day as the context gives them. */
export const clock = (hour: number): string => `${String(hour).padStart(2, "0")}:00`;

/** One case per hour of a part of the day. */
export function atHours(hours: readonly number[], context: Context, answers: readonly Answer[]): Case[] {
  return hours.map((hour) => ({ context: { time: clock(hour), ...context }, answers }));
}

/** One case per value of a context's key. */
export function byKey(key: string, table: Readonly<Record<string, string>>): Case[] {
  return Object.entries(table).map(([value, answer]) => ({ context: { [key]: value }, answers: surely(answer) }));
}
