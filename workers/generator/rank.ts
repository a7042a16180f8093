/** Ranks candidates: first by the scores that people gave the same text, then by the model's own probability. */
import type { Tally } from "../../shared/contracts/feedback.ts";
import type { Candidate } from "../../shared/contracts/generate.ts";
import { UNRATED } from "./feedback.ts";

/** Candidates, best first. */
export function rank(sampled: readonly Omit<Candidate, "reward">[], tallies: readonly Tally[]): Candidate[] {
  return sampled
    .map((candidate, index) => ({ ...candidate, tally: tallies[index] ?? UNRATED }))
    .toSorted((a, b) => standing(b.tally) - standing(a.tally) || b.logProbability - a.logProbability)
    .map(({ response, logProbability, tally }) => ({ response, reward: tally.reward, logProbability }));
}

/**
 * The mean score with one more vote of 0.5. With the plain mean, an unrated text would rank with the worst texts (all 0), and
 * a bad vote could not lower a text.
 */
function standing({ reward, votes }: Tally): number {
  return (reward * votes + 0.5) / (votes + 1);
}
