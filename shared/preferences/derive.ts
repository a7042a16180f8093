/**
 * Turns votes into pairs of answers, by three rules. A pure function: equal votes give equal pairs in the same order.
 *
 * - preferred: the preferred candidate is better than every other candidate.
 * - correction: the correction is better than the answer.
 * - scores: of two answers to the same question, the one with the higher score is better, if the scores are far enough apart. Each
 *   vote is used once: the highest with the lowest, the second with the second-lowest, and so on.
 *
 * No person makes more than `mostPerRater` pairs, so that a few people cannot outvote all others.
 */
import type { Rating } from "../contracts/feedback.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import type { Pair } from "./records.ts";

/** Pairs of one person in a training set. */
const MAX_PAIRS_OF_RATER = 50;
const MIN_DIFFERENCE = 0.5;

export type Rule = "preferred" | "correction" | "scores";

/** A vote with its answer. */
export interface RatedAnswer extends Pick<Rating, "number" | "id" | "rater" | "score" | "preferred" | "correction" | "createdAt"> {
  messages: readonly Message[];
  response: string;
  candidates: readonly string[];
}

/** A pair with its origin: whose vote on which answer, when, and by which rule. */
export interface DerivedPair extends Pair {
  id: string;
  rater: string;
  rule: Rule;
  createdAt: string;
}

/** Texts that differ only in white space at their ends are equal. An empty text teaches nothing. */
const differ = (better: string, worse: string) => better.trim() !== "" && worse.trim() !== "" && better.trim() !== worse.trim();

export function derivePairs(votes: readonly RatedAnswer[], mostPerRater = MAX_PAIRS_OF_RATER): DerivedPair[] {
  const ordered = votes.toSorted((a, b) => a.number - b.number);
  const pairs: DerivedPair[] = [];
  const used = new Map<string, number>();
  const add = (rule: Rule, vote: RatedAnswer, better: string, worse: string) => {
    const count = used.get(vote.rater) ?? 0;
    if (count >= mostPerRater || !differ(better, worse)) return;
    used.set(vote.rater, count + 1);
    const { id, rater, createdAt, messages } = vote;
    pairs.push({ id, rater, rule, createdAt, messages, better: better.trim(), worse: worse.trim() });
  };
  for (const vote of ordered) {
    if (vote.correction !== null) add("correction", vote, vote.correction, vote.response);
    const best = vote.preferred === null ? undefined : vote.candidates[vote.preferred];
    if (best !== undefined) for (const other of new Set(vote.candidates)) add("preferred", vote, best, other);
  }
  for (const group of Map.groupBy(ordered, ({ messages }) => JSON.stringify(messages)).values()) {
    const scored = group.filter(({ score }) => score !== null).toSorted((a, b) => b.score! - a.score! || a.number - b.number);
    for (let first = 0, last = scored.length - 1; first < last; first++, last--) {
      const [better, worse] = [scored[first]!, scored[last]!];
      if (better.score! - worse.score! < MIN_DIFFERENCE) break;
      // The person who liked the better answer counts as the author of the pair; the other one must not be over the limit either.
      if ((used.get(worse.rater) ?? 0) < mostPerRater) add("scores", better, better.response, worse.response);
    }
  }
  return pairs;
}
