/** Answers, votes and tallies in D1. The SQL is in statements.ts. How long rows are kept is in retention.ts. */
import { z } from "zod";
import { ratingSchema, type PageQuery, type Rating, type Tally } from "../../shared/contracts/feedback.ts";
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
  /** The conversation before the answer, and all candidates, as JSON. */
  prompt: string | null;
  candidates: string | null;
}

export interface RatingToStore {
  id: string;
  /** The text that gets the score, and the score. */
  scored: { hash: string; score: number };
  rater: string;
  network: string;
  kind: Rating["kind"];
  preferred: number | null;
  correction: string | null;
  comment: string | null;
  createdAt: string;
}

interface RatingRow {
  number: number;
  response_id: string;
  rater: string;
  kind: Rating["kind"];
  score: number | null;
  preferred: number | null;
  correction: string | null;
  comment: string | null;
  created_at: string;
  snapshot: string | null;
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
  async addResponse(answer: StoredResponse): Promise<number> {
    const { id, text, response, responseHash, model, createdAt, prompt, candidates } = answer;
    const [added] = await this.#run(
      this.#db.prepare(SQL.addResponse).bind(id, text, response, responseHash, model, createdAt, prompt, candidates),
    );
    return added?.meta.size_after ?? 0;
  }

  /** An answer's text; null for an unknown id. */
  async responseText(id: string): Promise<string | null> {
    return this.#first<string>(this.#db.prepare(SQL.responseText).bind(id), "response");
  }

  /** The answer that a rater votes on, and the snapshot that has used an earlier vote of the rater on it; null for an unknown id. */
  async votedAnswer(id: string, rater: string): Promise<{ hash: string; candidates: string[]; snapshot: string | null } | null> {
    const [found] = await this.#run<{ response_hash: string; candidates: string | null; snapshot: string | null }>(
      this.#db.prepare(SQL.votedAnswer).bind(id, rater),
    );
    const row = found?.results[0];
    if (row === undefined) return null;
    const candidates = row.candidates === null ? [] : z.array(z.string()).parse(JSON.parse(row.candidates));
    return { hash: row.response_hash, candidates, snapshot: row.snapshot };
  }

  /** The votes of a rater (on other answers than `id`) and of a network since a time. Each number is exact up to `limit`. */
  async ratingsSince(
    { id, rater, network }: Pick<RatingToStore, "id" | "rater" | "network">,
    since: string,
    limit: number,
  ): Promise<{ rater: number; network: number }> {
    const [own, all] = await this.#run<{ count: number }>(
      this.#db.prepare(SQL.ratingsOfRater).bind(rater, since, limit, id),
      this.#db.prepare(SQL.ratingsOfNetwork).bind(network, since, limit),
    );
    return { rater: own?.results[0]?.count ?? 0, network: all?.results[0]?.count ?? 0 };
  }

  /**
   * Stores a vote in one transaction and returns the tally of the scored text. A rater's second vote on an answer replaces the
   * first. A rater's newest score of a text is the rater's vote on the text.
   */
  async putRating({ id, scored, rater, network, kind, preferred, correction, comment, createdAt }: RatingToStore): Promise<Tally> {
    const millionths = Math.round(scored.score * MILLION);
    const score = kind === "score" || kind === "thumb" ? scored.score : null;
    const results = await this.#run<TallyRow>(
      this.#db.prepare(SQL.putRating).bind(id, rater, network, kind, score, preferred, correction, comment, createdAt),
      this.#db.prepare(SQL.markScored).bind(id, createdAt),
      this.#db.prepare(SQL.addToTally).bind(scored.hash, rater, millionths, createdAt),
      this.#db.prepare(SQL.putVote).bind(scored.hash, rater, millionths),
      this.#db.prepare(SQL.tally).bind(scored.hash),
    );
    return tallyOf(results.at(-1)?.results ?? []);
  }

  /** Votes after a number, oldest first, of everybody or of one rater. */
  async listRatings({ after, limit }: PageQuery, rater?: string): Promise<Rating[]> {
    const statement =
      rater === undefined
        ? this.#db.prepare(SQL.listRatings).bind(after, limit)
        : this.#db.prepare(SQL.listRatingsOf).bind(after, limit, rater);
    const [found] = await this.#run<RatingRow>(statement);
    return (found?.results ?? []).map(({ response_id: id, created_at: createdAt, ...row }) =>
      ratingSchema.parse({ id, createdAt, ...row }),
    );
  }

  /** Deletes everything of a rater in one transaction. Returns the number of votes. */
  async forgetRater(rater: string): Promise<number> {
    const statements = [SQL.forgetTallies, SQL.forgetVotes, SQL.forgetPreferences, SQL.forgetRatings];
    const results = await this.#run(...statements.map((sql) => this.#db.prepare(sql).bind(rater)));
    return results.at(-1)?.meta.changes ?? 0;
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

  /** Deletes answers whose last vote is from before the time `before`, with their votes. Returns their number. */
  async deleteScored(before: string, limit: number): Promise<number> {
    return this.#deleteBoth(SQL.deleteRatings, SQL.deleteScored, before, limit);
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
