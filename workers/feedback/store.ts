/** Answers, scores and tallies in D1. The statements are in statements.ts, what is kept how long in retention.ts. */
import type { Tally } from "../../shared/contracts/feedback.ts";
import { SQL } from "./statements.ts";

/** Scores are counted in millionths, so that sums are exact in whatever order votes arrive. */
const MILLION = 1_000_000;

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
  responseHash: string;
  voter: string;
  score: number;
  comment: string | null;
  createdAt: string;
}

interface TallyRow {
  votes: number;
  millionths: number;
}

function tallyOf(rows: readonly TallyRow[]): Tally {
  const { votes, millionths } = rows[0] ?? { votes: 0, millionths: 0 };
  return { reward: votes === 0 ? 0 : millionths / votes / MILLION, votes };
}

export class FeedbackStore {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /** Throws when the database does not answer. */
  async ping(): Promise<void> {
    await this.#db.prepare(SQL.ping).all();
  }

  /** Adds an answer; an id that is stored already keeps its row. */
  async addResponse({ id, text, response, responseHash, model, createdAt }: StoredResponse): Promise<void> {
    await this.#db.prepare(SQL.addResponse).bind(id, text, response, responseHash, model, createdAt).run();
  }

  /** The hash of an answer's text; null for an unknown id. */
  async responseHash(id: string): Promise<string | null> {
    return this.#db.prepare(SQL.responseHash).bind(id).first<string>("response_hash");
  }

  /**
   * Stores a score in one transaction and returns the tally of its text. A voter's second score of an answer replaces the
   * first, and the newest score of a text is the voter's vote on the text.
   */
  async putScore({ id, responseHash, voter, score, comment, createdAt }: StoredVote): Promise<Tally> {
    const millionths = Math.round(score * MILLION);
    const results = await this.#db.batch<TallyRow>([
      this.#db.prepare(SQL.putScore).bind(id, voter, score, comment, createdAt),
      this.#db.prepare(SQL.markScored).bind(id, createdAt),
      this.#db.prepare(SQL.addToTally).bind(responseHash, voter, millionths, createdAt),
      this.#db.prepare(SQL.putVote).bind(responseHash, voter, millionths),
      this.#db.prepare(SQL.tally).bind(responseHash),
    ]);
    return tallyOf(results.at(-1)?.results ?? []);
  }

  /** The tally of each text. */
  async tallies(hashes: readonly string[]): Promise<Tally[]> {
    if (hashes.length === 0) return [];
    const statement = this.#db.prepare(SQL.tally);
    const results = await this.#db.batch<TallyRow>(hashes.map((hash) => statement.bind(hash)));
    return results.map((result) => tallyOf(result.results));
  }

  /** The time of the oldest among the newest `count` answers; null when there are fewer. */
  async timeOfOldestKept(count: number): Promise<string | null> {
    return this.#db.prepare(SQL.timeOfOldestKept).bind(count).first<string>("created_at");
  }

  /** Deletes answers without scores, oldest first. Returns how many. */
  async deleteUnscored(before: string, limit: number): Promise<number> {
    const { meta } = await this.#db.prepare(SQL.deleteUnscored).bind(before, limit).run();
    return meta.changes;
  }

  /** Deletes answers that were last scored before a time, with their scores. Returns how many. */
  async deleteScored(before: string, limit: number): Promise<number> {
    return this.#deleteBoth(SQL.deleteScores, SQL.deleteScored, before, limit);
  }

  /** Deletes texts' tallies that got their last vote before a time, with those votes. Returns how many. */
  async deleteTallies(before: string, limit: number): Promise<number> {
    return this.#deleteBoth(SQL.deleteVotes, SQL.deleteTallies, before, limit);
  }

  /** Both select the same parents, so the children go first. */
  async #deleteBoth(children: string, parents: string, before: string, limit: number): Promise<number> {
    const results = await this.#db.batch([children, parents].map((sql) => this.#db.prepare(sql).bind(before, limit)));
    return results.at(-1)?.meta.changes ?? 0;
  }
}
