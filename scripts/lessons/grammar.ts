/**
 * The grammar of Tiffin's own lessons: families of questions whose answers depend on the context of the request. A family
 * states the probability of each answer. So lessons can be drawn with these probabilities, and a trained model can be compared
 * with them.
 *
 * Every fourth phrasing of a family is held out: it is in no lesson, and the bench asks it. If a family's contexts combine
 * several values, every sixth context is held out too: the model has seen each value, but not the combination.
 */
export type Context = Readonly<Record<string, string>>;

export interface Answer {
  text: string;
  /** The probabilities of a case's answers add up to 1. */
  probability: number;
}

/** One situation of a family: a context and its possible answers. */
export interface Case {
  context: Context;
  answers: readonly Answer[];
}

export interface Family {
  name: string;
  /** Ways to ask the question. Each must have the same meaning in every case. */
  phrasings: readonly string[];
  cases: readonly Case[];
  /** True if the answer to one context follows from other contexts. Only then are contexts held out. */
  combines: boolean;
  /** The family's share of the lessons, relative to the other families. */
  weight: number;
}

/** One question with its right answers. */
export interface Question extends Case {
  family: string;
  text: string;
}

/** The only right answer. */
export const surely = (text: string): readonly Answer[] => [{ text, probability: 1 }];

/** Answers from a table of texts and whole percentages. Throws if the percentages do not add up to 100. */
export function percent(shares: Readonly<Record<string, number>>): readonly Answer[] {
  const sum = Object.values(shares).reduce((total, share) => total + share, 0);
  if (sum !== 100) throw new Error(`lessons: expected shares that add to 100 %, got ${sum} of ${Object.keys(shares).join(", ")}`);
  return Object.entries(shares).map(([text, share]) => ({ text, probability: share / 100 }));
}

const PHRASING_STRIDE = 4;
const CONTEXT_STRIDE = 6;

/** True for phrasings that are in no lesson: the last of every four. */
export const isHeldOutPhrasing = (index: number): boolean => index % PHRASING_STRIDE === PHRASING_STRIDE - 1;

/** True for contexts that are in no lesson: in families that combine values, the last of every six. */
export const isHeldOutCase = ({ combines }: Family, index: number): boolean => combines && index % CONTEXT_STRIDE === CONTEXT_STRIDE - 1;

/** A hash of a text, from 0 to 2^32-1 (FNV-1a). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash;
}

/** A family whose contexts are independent of each other. */
export function family(name: string, weight: number, phrasings: readonly string[], cases: readonly Case[]): Family {
  return { name, weight, phrasings, cases, combines: false };
}

/** A family whose contexts combine values. The cases are sorted by hash, so the held-out cases spread evenly over the table. */
export function combinations(name: string, weight: number, phrasings: readonly string[], cases: readonly Case[]): Family {
  const key = ({ context }: Case) => hashText(`${name} ${JSON.stringify(context)}`);
  return { name, weight, phrasings, cases: cases.toSorted((a, b) => key(a) - key(b)), combines: true };
}

/** An hour of the day, written as in the context. */
export const clock = (hour: number): string => `${String(hour).padStart(2, "0")}:00`;

/** One case per hour of a part of the day, all with the same answers. */
export function atHours(hours: readonly number[], context: Context, answers: readonly Answer[]): Case[] {
  return hours.map((hour) => ({ context: { time: clock(hour), ...context }, answers }));
}

/** One case per value of a context key. */
export function byKey(key: string, table: Readonly<Record<string, string>>): Case[] {
  return Object.entries(table).map(([value, answer]) => ({ context: { [key]: value }, answers: surely(answer) }));
}
