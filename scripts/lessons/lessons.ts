/**
 * Draws Tiffin's lessons from the grammar with a seed: conversations for training, and the held-out questions for the bench.
 * Equal seeds and counts give equal lessons.
 *
 * Uncertain answers are drawn in proportion: after any number of lessons of a case, the count of each answer differs from its
 * expected count by at most two. Independent draws would add sampling noise of a few percentage points.
 */
import { createRandom } from "../../shared/model/random.ts";
import { FACTS } from "./facts.ts";
import { isHeldOutCase, isHeldOutPhrasing, type Case, type Context, type Family, type Question } from "./grammar.ts";
import { GREATEST } from "./greatest.ts";
import { drawReference, type Reference } from "./pronouns.ts";
import { SITUATIONS } from "./situations.ts";
import { SONGS } from "./songs.ts";
import { TIFFIN } from "./tiffin.ts";

export const FAMILIES: readonly Family[] = [SONGS, ...TIFFIN, GREATEST, ...SITUATIONS, ...FACTS];
/** Share of pronoun sentences among all lessons. */
const PRONOUN_SHARE = 0.25;

/** One conversation for training. */
export interface Lesson {
  context: Context;
  text: string;
  answer: string;
}

const shownPhrasings = ({ phrasings }: Family) => phrasings.filter((_, index) => !isHeldOutPhrasing(index));
const shownCases = (family: Family) => family.cases.filter((_, index) => !isHeldOutCase(family, index));

/** The answer whose count is furthest below its expected count. */
function nextAnswer({ answers }: Case, given: number[]): string {
  const total = given.reduce((sum, count) => sum + count, 0) + 1;
  const behind = answers.map(({ probability }, index) => probability * total - given[index]!);
  const chosen = behind.indexOf(Math.max(...behind));
  given[chosen]!++;
  return answers[chosen]!.text;
}

/** Draws `count` lessons of all families. The seed decides their order. `pronouns` is the share of pronoun sentences. */
export function drawLessons(seed: number, count: number, pronouns = PRONOUN_SHARE): Lesson[] {
  const random = createRandom(seed);
  const draw = () => random();
  const given = new Map<Case, number[]>();
  const total = FAMILIES.reduce((sum, { weight }) => sum + weight, 0);
  const fromFamily = (): Lesson => {
    let at = draw() * total;
    const family = FAMILIES.find(({ weight }) => (at -= weight) < 0) ?? FAMILIES[0]!;
    const [cases, phrasings] = [shownCases(family), shownPhrasings(family)];
    const chosen = cases[Math.floor(draw() * cases.length)]!;
    const counts = given.get(chosen) ?? chosen.answers.map(() => 0);
    given.set(chosen, counts);
    return { context: chosen.context, text: phrasings[Math.floor(draw() * phrasings.length)]!, answer: nextAnswer(chosen, counts) };
  };
  return Array.from({ length: count }, () => {
    if (draw() >= pronouns) return fromFamily();
    const { context, text, answers } = drawReference(draw);
    return { context, text, answer: answers[0]!.text };
  });
}

/** The same lessons for a classifier: the label is the answer. Pronoun sentences are left out, because bags of words cannot tell them apart. */
export function drawLabelled(seed: number, count: number): { context: Context; text: string; label: string }[] {
  return drawLessons(seed, count, 0).map(({ context, text, answer }) => ({ context, text, label: answer }));
}

/** A question that is in no lesson. */
export interface HeldOutQuestion extends Question {
  /** All answers of the family. */
  candidates: readonly string[];
  /** True if the phrasing is in lessons and only the combination of the context's values is held out. */
  isCombination: boolean;
}

/** Every question with a held-out phrasing or a held-out context. */
export function heldOutQuestions(): HeldOutQuestion[] {
  return FAMILIES.flatMap((family) => {
    const candidates = [...new Set(family.cases.flatMap(({ answers }) => answers.map(({ text }) => text)))];
    return family.cases.flatMap((each, caseIndex) =>
      family.phrasings.flatMap((text, index) =>
        isHeldOutPhrasing(index) || isHeldOutCase(family, caseIndex)
          ? [{ ...each, family: family.name, text, candidates, isCombination: !isHeldOutPhrasing(index) }]
          : [],
      ),
    );
  });
}

/** Pronoun sentences with held-out nouns and names. */
export function heldOutReferences(seed: number, count: number): Reference[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => drawReference(() => random(), true));
}
