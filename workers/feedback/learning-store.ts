/** What is learned from votes, in D1: training sets, pairs and decisions. The SQL is in statements.ts. */
import { z } from "zod";
import { decisionSchema, type Decision } from "../../shared/contracts/alignments.ts";
import type { DerivedPair, RatedAnswer } from "../../shared/preferences/derive.ts";
import type { Message } from "../../shared/tokenizer/chat-template.ts";
import { SQL } from "./statements.ts";

/** Votes of a training set. More wait for the next one. */
const MAX_VOTES = 5000;
/** Statements of one batch. */
const BATCH = 100;

const messagesSchema: z.ZodType<Message[]> = z.array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() }));
const textsSchema = z.array(z.string());

interface VoteRow {
  number: number;
  response_id: string;
  rater: string;
  score: number | null;
  preferred: number | null;
  correction: string | null;
  created_at: string;
  prompt: string;
  response: string;
  candidates: string | null;
}

interface DecisionRow {
  number: number;
  align: string;
  verdict: Decision["verdict"];
  candidate: string;
  baseline: string;
  report: string;
  created_at: string;
}

export interface StoredSnapshot {
  baseline: string;
  /** The hash of its pairs; null until they are stored. */
  pairs: string | null;
  count: number;
  ratings: number;
}

export class LearningStore {
  readonly #db: D1Database;

  constructor(db: D1Database) {
    this.#db = db;
  }

  /**
   * Begins a training set, unless it exists: takes the oldest unused votes, which no longer change from then on, and notes the active
   * model. Returns the training set.
   */
  async beginSnapshot(id: string, baseline: string): Promise<StoredSnapshot> {
    const now = new Date().toISOString();
    const results = await this.#db.batch<StoredSnapshot>([
      this.#db.prepare(SQL.takeRatings).bind(id, MAX_VOTES),
      this.#db.prepare(SQL.addSnapshot).bind(id, baseline, now),
      this.#db.prepare(SQL.snapshot).bind(id),
    ]);
    return results.at(-1)!.results[0]!;
  }

  /** The votes of a training set, with their answers. */
  async votesOf(snapshot: string): Promise<RatedAnswer[]> {
    const { results } = await this.#db.prepare(SQL.ratingsOfSnapshot).bind(snapshot, MAX_VOTES).all<VoteRow>();
    return results.map((row) => ({
      number: row.number,
      id: row.response_id,
      rater: row.rater,
      score: row.score,
      preferred: row.preferred,
      correction: row.correction,
      createdAt: row.created_at,
      messages: messagesSchema.parse(JSON.parse(row.prompt)),
      response: row.response,
      candidates: row.candidates === null ? [] : textsSchema.parse(JSON.parse(row.candidates)),
    }));
  }

  /** Completes a training set: the pairs with their origins, then the hash of the object that holds them. */
  async completeSnapshot(id: string, object: string, pairs: readonly DerivedPair[]): Promise<void> {
    const insert = this.#db.prepare(SQL.addPreference);
    for (let first = 0; first < pairs.length; first += BATCH) {
      const rows = pairs.slice(first, first + BATCH).map(({ messages, ...pair }, index) => {
        const prompt = JSON.stringify(messages);
        return insert.bind(id, first + index, pair.id, pair.rater, pair.rule, prompt, pair.better, pair.worse, pair.createdAt);
      });
      await this.#db.batch(rows);
    }
    await this.#db.prepare(SQL.completeSnapshot).bind(id, object, pairs.length).run();
  }

  /** Gives the votes of a training set back, so that they count for a later one, and forgets the training set. */
  async abandonSnapshot(id: string): Promise<void> {
    await this.#db.batch([this.#db.prepare(SQL.releaseRatings).bind(id), this.#db.prepare(SQL.deleteSnapshot).bind(id)]);
  }

  /** Stores a decision. An alignment has at most one of each verdict. */
  async decide({ alignment, verdict, candidate, baseline, report }: Omit<Decision, "number" | "createdAt">): Promise<void> {
    const now = new Date().toISOString();
    await this.#db.prepare(SQL.addDecision).bind(alignment, verdict, candidate, baseline, JSON.stringify(report), now).run();
  }

  /** Stores why an alignment ended, or with null that it begins again. */
  async setError(alignment: string, error: string | null): Promise<void> {
    const statement = this.#db.prepare(error === null ? SQL.deleteError : SQL.putError);
    await (error === null ? statement.bind(alignment) : statement.bind(alignment, error, new Date().toISOString())).run();
  }

  async errorOf(alignment: string): Promise<string | null> {
    return this.#db.prepare(SQL.errorOf).bind(alignment).first<string>("error");
  }

  async decisionsOf(alignment: string): Promise<Decision[]> {
    const { results } = await this.#db.prepare(SQL.decisionsOf).bind(alignment).all<DecisionRow>();
    return results.map(decisionOf);
  }

  /** Decisions below a number, newest first. */
  async listDecisions({ before, limit }: { before: number; limit: number }): Promise<Decision[]> {
    const { results } = await this.#db.prepare(SQL.listDecisions).bind(before, limit).all<DecisionRow>();
    return results.map(decisionOf);
  }
}

function decisionOf({ align, report, created_at: createdAt, ...row }: DecisionRow): Decision {
  return decisionSchema.parse({ ...row, alignment: align, report: JSON.parse(report) as unknown, createdAt });
}
