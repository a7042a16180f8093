/**
 * Sentences with a pronoun, each with a question about the person or animal that the pronoun means. For example: who was scared,
 * the dog or the cat? In some sentences the verb and the adjective together decide the answer, in others the pronoun and the
 * names.
 *
 * Held-out sentences use nouns and names that are in no lesson. A model that answers them has learned the reference instead of
 * the words. The idea is implicit causality, as in Winograd schemas (Levesque et al., 2012); the sentences are our own.
 */
import type { Question } from "./grammar.ts";
import { surely } from "./grammar.ts";

const words = (text: string): readonly string[] => text.split(" ");

const NOUNS = words(
  "dog cat horse cow goat sheep pig hen duck goose fox wolf bear lion tiger monkey camel donkey mule rabbit mouse rat frog toad snake lizard turtle crow owl hawk eagle parrot pigeon sparrow robin deer moose bull calf lamb kitten puppy panda koala otter beaver squirrel hedgehog badger seal whale shark crab spider ant bee wasp beetle boy girl king queen farmer baker driver singer",
);
const HELD_OUT_NOUNS = words("zebra elephant buffalo giraffe peacock leopard penguin chicken pony swan falcon teacher doctor pilot");

const NAMES = words(
  "Ravi Arjun Kumar Tom Peter John Karl Hassan Ivan Luis Omar Raj Sam Ben Max Leo Meena Priya Lakshmi Anna Maria Jane Emma Fatima Olga Rosa Leila Sita Kate Amy Eva Mia",
);
const HELD_OUT_NAMES = words("Vijay David Paul Suresh Kavya Sarah Lucy Radha");

/**
 * Verbs, and adjectives that describe their subject or their object. For example, the animal that hunts is hungry, and its
 * prey is scared.
 */
interface Frame {
  verbs: readonly string[];
  ofSubject: readonly string[];
  ofObject: readonly string[];
}

const HUNT: Frame = {
  verbs: words("chased hunted attacked followed caught bit"),
  ofSubject: words("hungry angry strong fast"),
  ofObject: words("scared weak small slow"),
};
const THANKS: Frame = {
  verbs: words("thanked praised called visited asked met"),
  ofSubject: words("lonely late sorry glad"),
  ofObject: words("kind clever brave helpful"),
};

export interface Reference extends Question {
  /** The two possible words, the right one first. */
  nouns: readonly [right: string, wrong: string];
}

/** A number in 0..1 from the caller's generator. */
export type Draw = () => number;

const pick = <T>(draw: Draw, items: readonly T[]): T => items[Math.floor(draw() * items.length)]!;

function pair(draw: Draw, items: readonly string[]): readonly [string, string] {
  const first = pick(draw, items);
  return [
    first,
    pick(
      draw,
      items.filter((item) => item !== first),
    ),
  ];
}

function drawFrom(draw: Draw, frame: Frame, nouns: readonly string[], article: "The " | "", pronoun: string): Reference {
  const [subject, object] = pair(draw, nouns);
  const isSubject = draw() < 0.5;
  const adjective = pick(draw, isSubject ? frame.ofSubject : frame.ofObject);
  const [right, wrong] = isSubject ? [subject, object] : [object, subject];
  const sentence = `${article}${subject} ${pick(draw, frame.verbs)} ${article.toLowerCase()}${object} because ${pronoun} was ${adjective}.`;
  return {
    family: "pronoun",
    context: {},
    text: `${sentence} Who was ${adjective}?`,
    answers: surely(`${article}${right}.`),
    nouns: [right, wrong],
  };
}

/** Draws a sentence with a pronoun and the question about it. Two of three sentences are about animals, the others about people. */
export function drawReference(draw: Draw, heldOut = false): Reference {
  if (draw() < 2 / 3) return drawFrom(draw, HUNT, heldOut ? HELD_OUT_NOUNS : NOUNS, "The ", "it");
  return drawFrom(draw, THANKS, heldOut ? HELD_OUT_NAMES : NAMES, "", draw() < 0.5 ? "he" : "she");
}
