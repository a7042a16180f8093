/** A vote on an answer: its checks, and the score that it gives to a text. */
import type { StoredVote, VoteRequest } from "../../shared/contracts/feedback.ts";
import { namedError } from "../../shared/errors.ts";
import { sha256 } from "../../shared/store.ts";
import { DAY_MS } from "./retention.ts";
import type { FeedbackStore, RatingToStore } from "./store.ts";

/** Votes per day of one person: more than anybody reads answers. */
export const MAX_RATINGS_OF_RATER = 500;
/** Votes per day from one network, which many people may share. */
export const MAX_RATINGS_OF_NETWORK = 2000;

export interface Vote extends Omit<VoteRequest, "receipt" | "user"> {
  id: string;
  /** The first digits of the hash of the text that the receipt is for. */
  output: string;
  rater: string;
  network: string;
  /** True for votes that the operator sends. They have no limits. */
  isTrusted: boolean;
}

export const hashText = (text: string) => sha256(new TextEncoder().encode(text));

export async function storeVote(store: FeedbackStore, vote: Vote, now: number): Promise<StoredVote> {
  const { id, rater, network } = vote;
  const answer = await store.votedAnswer(id, rater);
  if (answer === null || !answer.hash.startsWith(vote.output))
    throw namedError("NotFound", "receipt: expected the receipt of an answer that is still stored");
  if (answer.snapshot !== null) throw namedError("Conflict", "receipt: this vote was used for training and cannot be changed any more");
  if (!vote.isTrusted) await checkLimits(store, vote, now);
  const createdAt = new Date(now).toISOString();
  const { comment = null, correction = null } = vote;
  const tally = await store.putRating({ id, rater, network, comment, correction, createdAt, ...(await ratingOf(vote, answer)) });
  return { stored: true, rater, ...tally };
}

async function checkLimits(store: FeedbackStore, vote: Vote, now: number): Promise<void> {
  const since = new Date(now - DAY_MS).toISOString();
  const used = await store.ratingsSince(vote, since, MAX_RATINGS_OF_NETWORK);
  if (used.rater >= MAX_RATINGS_OF_RATER)
    throw namedError("OverBudget", `votes: expected at most ${MAX_RATINGS_OF_RATER} of one person in a day`);
  if (used.network >= MAX_RATINGS_OF_NETWORK)
    throw namedError("OverBudget", `votes: expected at most ${MAX_RATINGS_OF_NETWORK} of one network in a day`);
}

/** The kind of a vote, and the score that it gives to a text: a preferred candidate gets 1, an answer with a correction gets 0. */
async function ratingOf(
  { score, thumb, preferred }: Vote,
  { hash, candidates }: { hash: string; candidates: readonly string[] },
): Promise<Pick<RatingToStore, "kind" | "scored" | "preferred">> {
  if (preferred !== undefined) {
    const text = candidates[preferred];
    if (text === undefined)
      throw namedError(
        "InvalidInput",
        `preferred: expected the index of one of ${Math.max(1, candidates.length)} candidates, got ${preferred}`,
      );
    return { kind: "preferred", scored: { hash: await hashText(text), score: 1 }, preferred };
  }
  if (thumb !== undefined) return { kind: "thumb", scored: { hash, score: thumb === "up" ? 1 : 0 }, preferred: null };
  if (score !== undefined) return { kind: "score", scored: { hash, score }, preferred: null };
  return { kind: "correction", scored: { hash, score: 0 }, preferred: null };
}
