/** Answers and scores in D1: every SQL statement of the Worker, one method each. */
import type { Tally } from "../../shared/contracts/feedback.ts";

/** Bound parameters of one D1 statement. developers.cloudflare.com/d1/platform/limits/ */
export const MAX_PARAMETERS = 100;

export interface StoredResponse {
  id: string;
  text: string;
  response: string;
  responseHash: string;
  model: string;
  createdAt: string;
}

export interface StoredVote {
  id: string;
  voter: string;
  score: number;
  comment: string | null;
  createdAt: string;
}

export class FeedbackStore {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** Throws when the database does not answer. */
  async ping(): Promise<void> {
    await this.#db.prepare("SELECT 1 FROM responses LIMIT 1").all();
  }

  /** Adds an answer; an id that is stored already keeps its row. */
  async addResponse({ id, text, response, responseHash, model, createdAt }: StoredResponse): Promise<void> {
    await this.#db
      .prepare("INSERT OR IGNORE INTO responses VALUES (?, ?, ?, ?, ?, ?)")
      .bind(id, text, response, responseHash, model, createdAt)
      .run();
  }

  /** The hash of an answer's text; null for an unknown id. */
  async responseHash(id: string): Promise<string | null> {
    return this.#db.prepare("SELECT response_hash FROM responses WHERE id = ?").bind(id).first<string>("response_hash");
  }

  /** Stores a vote; a voter's second vote on an answer replaces the first. */
  async putVote({ id, voter, score, comment, createdAt }: StoredVote): Promise<void> {
    await this.#db
      .prepare(
        "INSERT INTO scores VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET score = excluded.score, comment = excluded.comment, created_at = excluded.created_at",
      )
      .bind(id, voter, score, comment, createdAt)
      .run();
  }

  /** The tally of each text. An equal text has an id per answer, so the scores of one voter are averaged first. */
  async tallies(hashes: readonly string[]): Promise<Tally[]> {
    const marks = hashes.map(() => "?").join(", ");
    const { results } = await this.#db
      .prepare(
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
