/**
 * Counts what answers use of the platform, and holds the tokens that they may use. The isolate takes tokens of today's budget
 * from the ledger in slices, so most answers of a busy isolate need no call of the ledger. When no answer is open, the isolate
 * reports its usage to the ledger and returns the rest of its slice. If an isolate dies, its slice is lost: the budget then ends
 * too early, but tokens are never spent twice. If the ledger is down, answers are still made.
 */
import { dayOf } from "../../shared/costs/day.ts";
import { addLatency, noLatencies, sumOf } from "../../shared/costs/latency.ts";
import type { AnswerReport } from "../../shared/costs/reports.ts";
import { addUsage, type Usage } from "../../shared/costs/usage.ts";
import { namedError } from "../../shared/errors.ts";
import { log } from "../../shared/log.ts";

/** The size of a slice: enough for a few dozen answers. */
const SLICE_TOKENS = 10_000;
/** A busy isolate reports to the ledger after this many answers. */
const ANSWERS_PER_REPORT = 50;
/** An open answer this old counts as dead, because its invocation was cancelled. The time is a few times the longest turn. */
const LAPSE_MS = 60_000;

/** The ledger's methods (workers/coordinator/ledger.ts). */
export interface AnswerLedger {
  takeTokens(request: { least: number; wanted: number }): Promise<number>;
  bookAnswers(report: AnswerReport, returned: number): Promise<void>;
}

/** An answer that is being made, with the tokens that are reserved for it. */
export interface OpenAnswer {
  reserved: number;
  startedAt: number;
}

/** For this long after a refusal, questions that need as many tokens are refused without a call of the ledger. */
const REFUSED_MS = 1000;

const overBudget = () => namedError("OverBudget", "today's budget of answers is spent: try again after midnight UTC");

const emptyReport = (): AnswerReport => ({ answers: 0, tokens: 0, usage: {}, latencies: noLatencies(), d1Bytes: 0 });

export class AnswerAccount {
  readonly #now: () => number;
  readonly #open = new Set<OpenAnswer>();
  #report = emptyReport();
  #countedAt = 0;
  /** The day to which the slice belongs. */
  #day = "";
  /** Tokens of the slice that are not used yet. Negative after answers that were made while the ledger was down. */
  #left = 0;
  /** The tokens that the ledger refused last, and when. */
  #refused = Infinity;
  #refusedAt = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Begins an answer of at most `most` tokens. Throws OverBudget. */
  async open(ledger: AnswerLedger, most: number): Promise<OpenAnswer> {
    const reserved = (await this.#reserve(ledger, most)) ? most : 0;
    const answer = { reserved, startedAt: this.#now() };
    this.#open.add(answer);
    this.#countedAt = this.#now();
    this.#report.answers++;
    return answer;
  }

  /** The tokens of the slice that no open answer has reserved. A slice ends with its day. */
  #free(): number {
    const now = this.#now();
    const today = dayOf(now);
    if (this.#day !== today) this.#left = 0;
    this.#day = today;
    for (const answer of this.#open) if (now - answer.startedAt >= LAPSE_MS) this.#open.delete(answer);
    return this.#left - [...this.#open].reduce((sum, { reserved }) => sum + reserved, 0);
  }

  /** Reserves tokens from the slice, or else from the ledger. Returns false if the ledger does not answer. Throws OverBudget. */
  async #reserve(ledger: AnswerLedger, most: number): Promise<boolean> {
    const missing = most - this.#free();
    if (missing <= 0) return true;
    // A flood beyond the budget costs one call of the ledger a second, not one per question.
    if (missing >= this.#refused && this.#now() - this.#refusedAt < REFUSED_MS) throw overBudget();
    this.add({ objectRequests: 1 });
    const granted = await this.#ask("today's budget is not asked", () =>
      ledger.takeTokens({ least: missing, wanted: missing + SLICE_TOKENS }),
    );
    if (granted === null) return false;
    this.#left += granted;
    if (granted >= missing) return true;
    this.#refused = missing;
    this.#refusedAt = this.#now();
    throw overBudget();
  }

  /** Calls the ledger. After a failure, logs the cause and returns null. */
  async #ask<T>(what: string, call: () => Promise<T>): Promise<T | null> {
    try {
      return await call();
    } catch (error) {
      log("warn", `answers: ${what}: ${(error as Error).message}`);
      return null;
    }
  }

  /**
   * Counts tokens that were read or made. The time since the last count is booked as CPU time, although it may include waits for
   * storage. Answers of one isolate share one thread, so adding up the durations of answers would count time twice.
   */
  count(tokens: number): void {
    const now = this.#now();
    this.add({ cpuMilliseconds: Math.max(0, now - this.#countedAt) });
    this.#countedAt = now;
    this.#report.tokens += tokens;
    this.#left -= tokens;
  }

  add(usage: Usage): void {
    addUsage(this.#report.usage, usage);
  }

  /** Keeps the size of the answers' database, as the last statement reported it. */
  note(d1Bytes: number): void {
    this.#report.d1Bytes = d1Bytes;
  }

  /** Ends an answer. Never throws: if the report fails, its numbers are part of the next report. */
  async close(ledger: AnswerLedger, answer: OpenAnswer): Promise<void> {
    this.#open.delete(answer);
    this.#report.latencies = addLatency(this.#report.latencies, (this.#now() - answer.startedAt) / 1000);
    const free = this.#free();
    const isIdle = this.#open.size === 0;
    if (!isIdle && this.#report.answers < ANSWERS_PER_REPORT) return;
    const returned = isIdle ? Math.max(0, free) : 0;
    // Counted before the report is taken, so that the report pays for its own call.
    this.add({ objectRequests: 1 });
    const report = this.#report;
    this.#left -= returned;
    this.#report = emptyReport();
    const told = await this.#ask("costs are not booked", async () => {
      await ledger.bookAnswers(report, returned);
      return true;
    });
    if (told !== null) return;
    this.#left += returned;
    this.#report.answers += report.answers;
    this.#report.tokens += report.tokens;
    this.#report.latencies = sumOf(this.#report.latencies, report.latencies);
    this.add(report.usage);
  }
}

/** The account of this isolate. */
export const account = new AnswerAccount();
