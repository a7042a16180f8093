/**
 * Feedback: answers and their scores in D1. A response's reward is the mean score that people gave the same text before,
 * whatever the question was and whichever model said it; each person counts once, however often that text was scored.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { sha256 } from "../../shared/store.ts";
import { namedError } from "../../shared/errors.ts";

/** Bound parameters of one D1 statement. developers.cloudflare.com/d1/platform/limits/ */
const MAX_PARAMETERS = 100;
const hashText = (text: string) => sha256(new TextEncoder().encode(text));

export interface ResponseRecord {
  id: string;
  text: string;
  response: string;
  model: string;
  createdAt: string;
}

export interface Tally {
  /** The mean over the people who scored a text, 0 if nobody did. */
  reward: number;
  /** How many people scored it. */
  votes: number;
}

export default class Feedback extends WorkerEntrypoint<FeedbackEnv> {
  async health(): Promise<{ ok: true }> {
    await this.env.DB.prepare("SELECT 1 FROM responses LIMIT 1").all();
    return { ok: true };
  }

  /** Keeps an answer, so that it can be scored by its id. */
  async record({ id, text, response, model, createdAt }: ResponseRecord): Promise<void> {
    await this.env.DB.prepare("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?)")
      .bind(id, text, response, await hashText(response), model, createdAt)
      .run();
  }

  /** Stores a score in 0..1; a voter's second score replaces the first. Throws NotFound, InvalidInput. */
  async score(input: { id: string; score: number; comment?: string; voter: string }): Promise<{ stored: true } & Tally> {
    if (!(input.score >= 0 && input.score <= 1)) throw namedError("InvalidInput", `score: expected a number in 0..1, got ${input.score}`);
    const known = await this.env.DB.prepare("SELECT response_hash FROM responses WHERE id = ?")
      .bind(input.id)
      .first<{ response_hash: string }>();
    if (known === null) throw namedError("NotFound", `id: expected the id of an answer, got ${input.id.slice(0, 64)}`);
    await this.env.DB.prepare(
      "INSERT INTO scores VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET score = excluded.score, comment = excluded.comment, created_at = excluded.created_at",
    )
      .bind(input.id, input.voter, input.score, input.comment ?? null, new Date().toISOString())
      .run();
    const [tally] = await this.#tallies([known.response_hash]);
    return { stored: true, ...tally! };
  }

  /** What people gave each response text. */
  async rewards(responses: string[]): Promise<Tally[]> {
    if (responses.length > MAX_PARAMETERS)
      throw namedError("InvalidInput", `responses: expected at most ${MAX_PARAMETERS}, got ${responses.length}`);
    return this.#tallies(await Promise.all(responses.map(hashText)));
  }

  /** A text has an id per answer, and whoever asks again gets a new one: so the scores of one voter are averaged first. */
  async #tallies(hashes: string[]): Promise<Tally[]> {
    const marks = hashes.map(() => "?").join(", ");
    const { results } = await this.env.DB.prepare(
      `SELECT response_hash, AVG(score) AS reward, COUNT(*) AS votes FROM (
        SELECT response_hash, AVG(score) AS score FROM scores JOIN responses ON response_id = id
        WHERE response_hash IN (${marks}) GROUP BY response_hash, voter
      ) GROUP BY response_hash`,
    )
      .bind(...hashes)
      .all<Tally & { response_hash: string }>();
    return hashes.map((hash) => {
      const { reward = 0, votes = 0 } = results.find((row) => row.response_hash === hash) ?? {};
      return { reward, votes };
    });
  }
}
