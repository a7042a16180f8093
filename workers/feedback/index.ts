/**
 * Feedback: stores answers and their scores. The reward of a text is the mean score that people gave the same text, for any
 * question and any model. Each person counts once, with the newest score. Cron deletes old rows.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { ScoreRequest, StoredScore, Tally } from "../../shared/contracts/feedback.ts";
import { MOST_COUNTED, type FeedbackTotals } from "../../shared/contracts/overview.ts";
import { Meter } from "../../shared/costs/meter.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { namedError } from "../../shared/errors.ts";
import { sha256 } from "../../shared/store.ts";
import { deleteOld } from "./retention.ts";
import { FeedbackStore } from "./store.ts";

/** The most texts in one call. A request always has fewer candidates. */
const MAX_TEXTS = 100;

const DAY_MS = 24 * 3_600_000;

/** Counts how much this isolate uses the database, including votes and deletions. */
const meter = new Meter();

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
    return new FeedbackStore(this.env.DB, meter);
  }

  async health(): Promise<{ ok: true }> {
    await this.#store.ping();
    return { ok: true };
  }

  /** Stores an answer, so that people can score it by its id. Returns what this isolate has used since the last call, and the size of the database. */
  async record(answer: ResponseRecord): Promise<{ usage: Usage; d1Bytes: number }> {
    const d1Bytes = await this.#store.addResponse({ ...answer, responseHash: await hashText(answer.response) });
    return { usage: meter.take(), d1Bytes };
  }

  /** Stores a score in 0..1; a voter's second score replaces the first. Throws NotFound, InvalidInput. */
  async score({ id, score, comment, voter }: ScoreRequest & { voter: string }): Promise<StoredScore> {
    if (!(score >= 0 && score <= 1)) throw namedError("InvalidInput", `score: expected a number in 0..1, got ${score}`);
    const responseHash = await this.#store.responseHash(id);
    if (responseHash === null) throw namedError("NotFound", `id: expected the id of an answer, got ${id.slice(0, 64)}`);
    const createdAt = new Date().toISOString();
    const tally = await this.#store.putScore({ id, responseHash, voter, score, comment: comment ?? null, createdAt });
    return { stored: true, ...tally };
  }

  /** The text of an answer. Throws NotFound. */
  async responseText(id: string): Promise<string> {
    const text = await this.#store.responseText(id);
    if (text === null) throw namedError("NotFound", `id: expected the id of an answer, got ${id.slice(0, 64)}`);
    return text;
  }

  /** The tally of each text, in the order of `responses`. */
  async rewards(responses: string[]): Promise<Tally[]> {
    if (responses.length > MAX_TEXTS) throw namedError("InvalidInput", `responses: expected at most ${MAX_TEXTS}, got ${responses.length}`);
    return this.#store.tallies(await Promise.all(responses.map(hashText)));
  }

  /** Answers and votes of the last 24 hours. */
  async totals(): Promise<FeedbackTotals> {
    return this.#store.countSince(new Date(Date.now() - DAY_MS).toISOString(), MOST_COUNTED);
  }

  /** Runs at every tick of cron. */
  override async scheduled(): Promise<void> {
    await deleteOld(this.#store, Date.now());
  }
}
