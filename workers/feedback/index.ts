/**
 * Feedback: stores answers and votes on them. The reward of a text is the mean score that people gave the same text, for any
 * question and any model. Each person counts once, with the newest score. Cron deletes old rows. The Workflow `align` lets the model
 * learn from the votes.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { AlignRequest, Alignment, Decisions, StartedAlignment } from "../../shared/contracts/alignments.ts";
import type { PageQuery, Ratings, StoredVote, Tally } from "../../shared/contracts/feedback.ts";
import { MOST_COUNTED, type FeedbackTotals } from "../../shared/contracts/overview.ts";
import { Meter } from "../../shared/costs/meter.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { namedError } from "../../shared/errors.ts";
import type { Message } from "../../shared/tokenizer/chat-template.ts";
import { DAY_MS, deleteOld } from "./retention.ts";
import { listDecisions, readAlignment, rollBack, startAlignment } from "./alignments.ts";
import { LearningStore } from "./learning-store.ts";
import { FeedbackStore } from "./store.ts";
import { hashText, storeVote, type Vote } from "./vote.ts";

export { AlignWorkflow } from "./align-workflow.ts";

/** The most texts in one call. A request always has fewer candidates. */
const MAX_TEXTS = 100;

/** Counts how much this isolate uses the database, including votes and deletions. */
const meter = new Meter();

export interface ResponseRecord {
  id: string;
  text: string;
  response: string;
  model: string;
  createdAt: string;
  /** The conversation before the answer; null if there was none. */
  prompt: readonly Message[] | null;
  /** All candidates, if there were several. The answer is the first. */
  candidates: readonly string[] | null;
}

export default class Feedback extends WorkerEntrypoint<FeedbackEnv> {
  get #store() {
    return new FeedbackStore(this.env.DB, meter);
  }

  get #learning() {
    return new LearningStore(this.env.DB);
  }

  async health(): Promise<{ ok: true }> {
    await this.#store.ping();
    return { ok: true };
  }

  /** Stores an answer, so that people can score it by its id. Returns what this isolate has used since the last call, and the size of the database. */
  async record(answer: ResponseRecord): Promise<{ usage: Usage; d1Bytes: number }> {
    const prompt = answer.prompt === null ? null : JSON.stringify(answer.prompt);
    const candidates = answer.candidates === null ? null : JSON.stringify(answer.candidates);
    const d1Bytes = await this.#store.addResponse({ ...answer, prompt, candidates, responseHash: await hashText(answer.response) });
    return { usage: meter.take(), d1Bytes };
  }

  /** Stores a vote on an answer. Throws NotFound, InvalidInput, Conflict for a vote that is used, OverBudget for too many votes. */
  vote(vote: Vote): Promise<StoredVote> {
    return storeVote(this.#store, vote, Date.now());
  }

  /** A page of votes, oldest first, of everybody or of one rater. */
  async listRatings(page: PageQuery, rater?: string): Promise<Ratings> {
    const ratings = await this.#store.listRatings(page, rater);
    return { ratings, next: ratings.length < page.limit ? null : ratings.at(-1)!.number };
  }

  /** Deletes the votes of a rater, and the pairs made from them. Returns their number. */
  forgetRater(rater: string): Promise<number> {
    return this.#store.forgetRater(rater);
  }

  /** Starts the Workflow `align`, or continues the interrupted one of this name. */
  align(request: AlignRequest): Promise<StartedAlignment> {
    return startAlignment(this.env, this.#learning, request);
  }

  /** Throws NotFound. */
  getAlignment(id: string): Promise<Alignment> {
    return readAlignment(this.env, this.#learning, id);
  }

  /** Decisions about candidates, newest first. */
  listDecisions(page: { before: number; limit: number }): Promise<Decisions> {
    return listDecisions(this.#learning, page);
  }

  /** Makes the model active that was active before a promotion. Throws NotFound, Conflict. */
  rollBack(id: string): Promise<{ active: string }> {
    return rollBack(this.env, this.#learning, id);
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
