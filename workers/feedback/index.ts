/**
 * Feedback: answers and their scores. A text's reward is the mean score that people gave the same text before, whatever the
 * question and whichever model said it; each person counts once, however often that text was scored.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { ScoreRequest, StoredScore, Tally } from "../../shared/contracts/feedback.ts";
import { namedError } from "../../shared/errors.ts";
import { sha256 } from "../../shared/store.ts";
import { FeedbackStore, MAX_PARAMETERS } from "./store.ts";

const hashText = (text: string) => sha256(new TextEncoder().encode(text));

export interface ResponseRecord {
  id: string;
  text: string;
  response: string;
  model: string;
  createdAt: string;
}

export default class Feedback extends WorkerEntrypoint<FeedbackEnv> {
  get #store() {
    return new FeedbackStore(this.env.DB);
  }

  async health(): Promise<{ ok: true }> {
    await this.#store.ping();
    return { ok: true };
  }

  /** Keeps an answer, so that it can be scored by its id. */
  async record(answer: ResponseRecord): Promise<void> {
    await this.#store.addResponse({ ...answer, responseHash: await hashText(answer.response) });
  }

  /** Stores a score in 0..1; a voter's second score replaces the first. Throws NotFound, InvalidInput. */
  async score({ id, score, comment, voter }: ScoreRequest & { voter: string }): Promise<StoredScore> {
    if (!(score >= 0 && score <= 1)) throw namedError("InvalidInput", `score: expected a number in 0..1, got ${score}`);
    const hash = await this.#store.responseHash(id);
    if (hash === null) throw namedError("NotFound", `id: expected the id of an answer, got ${id.slice(0, 64)}`);
    await this.#store.putVote({ id, voter, score, comment: comment ?? null, createdAt: new Date().toISOString() });
    const [tally] = await this.#store.tallies([hash]);
    return { stored: true, ...tally! };
  }

  /** The tally of each text. */
  async rewards(responses: string[]): Promise<Tally[]> {
    if (responses.length > MAX_PARAMETERS)
      throw namedError("InvalidInput", `responses: expected at most ${MAX_PARAMETERS}, got ${responses.length}`);
    return this.#store.tallies(await Promise.all(responses.map(hashText)));
  }
}
