/**
 * A judge of politeness that shares nothing with the reward model: a logistic regression over the words of an answer and their
 * neighbours, without a network. It learns from the training pairs, and its accuracy on held-out pairs is reported beside its verdicts.
 * A word counts once, so that an answer cannot win by repeating a polite word.
 */
import type { Pair } from "../../../../shared/preferences/records.ts";
import { permute } from "../../../../shared/training/compute/data-order.ts";
import { mean } from "../statistics.ts";

const EPOCHS = 20;
const RATE = 0.1;
const DECAY = 1e-4;

export interface Judge {
  /** The higher, the politer. */
  score(answer: string): number;
}

function wordsOf(answer: string): Set<string> {
  const words = answer.toLowerCase().match(/[a-z']+|[^\sa-z]/g) ?? [];
  return new Set([...words, ...words.slice(1).map((word, index) => `${words[index]} ${word}`)]);
}

export function trainJudge(pairs: readonly Pair[]): Judge {
  const weights = new Map<string, number>();
  const total = (words: ReadonlySet<string>) => [...words].reduce((sum, word) => sum + (weights.get(word) ?? 0), 0);
  const sides = pairs.map(({ better, worse }) => [wordsOf(better), wordsOf(worse)] as const);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (let at = 0; at < sides.length; at++) {
      const [better, worse] = sides[permute(at, sides.length, epoch)]!;
      const step = RATE / (1 + Math.exp(total(better) - total(worse)));
      for (const [words, sign] of [
        [better, 1],
        [worse, -1],
      ] as const)
        for (const word of words) weights.set(word, (weights.get(word) ?? 0) * (1 - DECAY) + sign * step);
    }
  }
  return { score: (answer) => total(wordsOf(answer)) };
}

/** The share of differences above 0; a tie counts half. */
export function winRate(differences: readonly number[]): number {
  return mean(differences.map((difference) => (difference > 0 ? 1 : difference === 0 ? 0.5 : 0)));
}
