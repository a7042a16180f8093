/** Answers, scores and tallies in D1. The SQL is in statements.ts. How long rows are kept is in retention.ts. */
import type { Tally } from "../../shared/contracts/feedback.ts";
import { Meter } from "../../shared/costs/meter.ts";
import { SQL } from "./statements.ts";

/** Scores are counted in millionths, so sums are exact for any order of votes. */
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
  readonly #meter: Meter;

  constructor(db: D1Database, meter: Meter = new Meter()) {
    this.#db = db;
    this.#meter = meter;
  }

  /** Runs statements in one transaction, and counts the rows that they cost. */
  async #run<T>(...statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    const results = await this.#db.batch<T>(statements);
    for (const { meta } of results) this.#meter.add({ d1RowsRead: meta.rows_read, d1RowsWritten: meta.rows_written });
    return results;
  }

  /** A field of the first row that a statement finds; null if it finds none. */
  async #first<T>(statement: D1PreparedStatement, field: string): Promise<T | null> {
    const [found] = await this.#run<Record<string, T>>(statement);
    return found?.results[0]?.[field] ?? null;
  }

  /** Throws if the database does not answer. */
  async ping(): Promise<void> {
    await this.#run(this.#db.prepare(SQL.ping));
  }

  /** Adds an answer. If the id is stored already, its row stays. Returns the bytes of the whole database. */
  async addResponse({ id, text, response, responseHash, model, createdAt }: StoredResponse): Promise<number> {
    const [added] = await this.#run(this.#db.prepare(SQL.addResponse).bind(id, text, response, responseHash, model, createdAt));
    return added?.meta.size_after ?? 0;
  }

  /** An answer's text; null for an unknown id. */
  async responseText(id: string): Promise<string | null> {
    return this.#first<string>(this.#db.prepare(SQL.responseText).bind(id), "response");
  }

  /** The hash of an answer's text; null for an unknown id. */
  async responseHash(id: string): Promise<string | null> {
    return this.#first<string>(this.#db.prepare(SQL.responseHash).bind(id), "response_hash");
  }

  /**
   * Stores a score in one transaction and returns the tally of the scored text. A voter's second score of an answer replaces
   * the first. A voter's newest score of a text is the voter's vote on the text.
   */
  async putScore({ id, responseHash, voter, score, comment, createdAt }: StoredVote): Promise<Tally> {
    const millionths = Math.round(score * MILLION);
    const results = await this.#run<TallyRow>(
      this.#db.prepare(SQL.putScore).bind(id, voter, score, comment, createdAt),
      this.#db.prepare(SQL.markScored).bind(id, createdAt),
      this.#db.prepare(SQL.addToTally).bind(responseHash, voter, millionths, createdAt),
      this.#db.prepare(SQL.putVote).bind(responseHash, voter, millionths),
      this.#db.prepare(SQL.tally).bind(responseHash),
    );
    return tallyOf(results.at(-1)?.results ?? []);
  }

  /** The tally of each text. */
  async tallies(hashes: readonly string[]): Promise<Tally[]> {
    if (hashes.length === 0) return [];
    const statement = this.#db.prepare(SQL.tally);
    const results = await this.#run<TallyRow>(...hashes.map((hash) => statement.bind(hash)));
    return results.map((result) => tallyOf(result.results));
  }

  /** How many answers were given since a time, and how many got a vote since then. Each number is exact up to `limit`. */
  async countSince(since: string, limit: number): Promise<{ answers: number; voted: number }> {
    const [unscored, scored] = await this.#db.batch<{ count?: number; voted?: number; answers?: number }>(
      [SQL.unscoredSince, SQL.scoredSince].map((sql) => this.#db.prepare(sql).bind(since, limit)),
    );
    const { voted = 0, answers = 0 } = scored?.results[0] ?? {};
    return { answers: (unscored?.results[0]?.count ?? 0) + answers, voted };
  }

  /** The time of the oldest answer among the newest `count` answers; null if there are fewer. */
  async timeOfOldestKept(count: number): Promise<string | null> {
    return this.#first<string>(this.#db.prepare(SQL.timeOfOldestKept).bind(count), "created_at");
  }

  /** Deletes answers without scores from before the time `before`, oldest first. Returns their number. */
  async deleteUnscored(before: string, limit: number): Promise<number> {
    const [result] = await this.#run(this.#db.prepare(SQL.deleteUnscored).bind(before, limit));
    return result?.meta.changes ?? 0;
  }

  /** Deletes answers whose last score is from before the time `before`, with their scores. Returns their number. */
  async deleteScored(before: string, limit: number): Promise<number> {
    return this.#deleteBoth(SQL.deleteScores, SQL.deleteScored, before, limit);
  }

  /** Deletes tallies whose last vote is from before the time `before`, with their votes. Returns their number. */
  async deleteTallies(before: string, limit: number): Promise<number> {
    return this.#deleteBoth(SQL.deleteVotes, SQL.deleteTallies, before, limit);
  }

  /** Both statements select the same parents, so the children are deleted first. */
  async #deleteBoth(children: string, parents: string, before: string, limit: number): Promise<number> {
    const results = await this.#run(...[children, parents].map((sql) => this.#db.prepare(sql).bind(before, limit)));
    return results.at(-1)?.meta.changes ?? 0;
  }
}
