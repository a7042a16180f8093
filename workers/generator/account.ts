/**
 * What answers use of the platform, and the tokens that they may use. The isolate takes slices of today's budget from the
 * ledger, so that not every answer of a busy isolate waits for it. When no answer is in the making, it tells the ledger what
 * was used and returns what is left. An isolate that ends earlier keeps its slice: a budget is then spent too soon, never twice.
 * A ledger that is down holds no answer back.
 */
import { dayOf } from "../../shared/costs/day.ts";
import { addLatency, noLatencies, sumOf } from "../../shared/costs/latency.ts";
import type { AnswerReport } from "../../shared/costs/reports.ts";
import { addUsage, type Usage } from "../../shared/costs/usage.ts";
import { namedError } from "../../shared/errors.ts";
import { log } from "../../shared/log.ts";

/** Tokens of a slice: a few dozen answers. */
const SLICE_TOKENS = 10_000;
/** A busy isolate tells the ledger after so many answers. */
const ANSWERS_PER_REPORT = 50;
/** An answer that was not closed by then was cut off with its invocation: a few times the longest turn. */
const LAPSE_MS = 60_000;

/** The ledger's side (workers/coordinator/ledger.ts). */
export interface AnswerLedger {
  takeTokens(request: { least: number; wanted: number }): Promise<number>;
  bookAnswers(report: AnswerReport, returned: number): Promise<void>;
}

/** Tokens that are kept for an answer in the making. */
export interface OpenAnswer {
  reserved: number;
  startedAt: number;
}

const emptyReport = (): AnswerReport => ({ answers: 0, tokens: 0, usage: {}, latencies: noLatencies(), d1Bytes: 0 });

export class AnswerAccount {
  readonly #now: () => number;
  readonly #open = new Set<OpenAnswer>();
  #report = emptyReport();
  #countedAt = 0;
  /** The day of the slice. */
  #day = "";
  /** Tokens of the slice that were not made yet. Below 0 after answers that were given while the ledger was down. */
  #left = 0;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** An answer of at most `most` tokens begins. Throws OverBudget. */
  async open(ledger: AnswerLedger, most: number): Promise<OpenAnswer> {
    const reserved = (await this.#reserve(ledger, most)) ? most : 0;
    const answer = { reserved, startedAt: this.#now() };
    this.#open.add(answer);
    this.#countedAt = this.#now();
    this.#report.answers++;
    // The gateway's invocation.
    this.add({ requests: 1 });
    return answer;
  }

  /** Tokens that no answer in the making may need. A slice ends with its day. */
  #free(): number {
    const now = this.#now();
    const today = dayOf(now);
    if (this.#day !== today) this.#left = 0;
    this.#day = today;
    for (const answer of this.#open) if (now - answer.startedAt >= LAPSE_MS) this.#open.delete(answer);
    return this.#left - [...this.#open].reduce((sum, { reserved }) => sum + reserved, 0);
  }

  /** False when the ledger cannot be asked. */
  async #reserve(ledger: AnswerLedger, most: number): Promise<boolean> {
    const missing = most - this.#free();
    if (missing <= 0) return true;
    const granted = await this.#ask("today's budget is not asked", () =>
      ledger.takeTokens({ least: missing, wanted: missing + SLICE_TOKENS }),
    );
    if (granted === null) return false;
    this.#left += granted;
    if (granted < missing) throw namedError("OverBudget", "today's budget of answers is spent: try again after midnight UTC");
    return true;
  }

  /** A call of the ledger; null after a failure, with its cause in the log. */
  async #ask<T>(what: string, call: () => Promise<T>): Promise<T | null> {
    this.add({ objectRequests: 1 });
    try {
      return await call();
    } catch (error) {
      log("warn", `answers: ${what}: ${(error as Error).message}`);
      return null;
    }
  }

  /**
   * Tokens that were read or made. The time since the last count is CPU time, or a wait for storage at most: answers of one
   * isolate take turns on its one thread, so their times must not be added.
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

  /** The size of the database of answers, as its last statement told it. */
  note(d1Bytes: number): void {
    this.#report.d1Bytes = d1Bytes;
  }

  /** An answer has ended. Never throws: what could not be told or returned is told after a later answer. */
  async close(ledger: AnswerLedger, answer: OpenAnswer): Promise<void> {
    this.#open.delete(answer);
    this.#report.latencies = addLatency(this.#report.latencies, (this.#now() - answer.startedAt) / 1000);
    const free = this.#free();
    const isIdle = this.#open.size === 0;
    if (!isIdle && this.#report.answers < ANSWERS_PER_REPORT) return;
    const returned = isIdle ? Math.max(0, free) : 0;
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

/** The isolate's. */
export const account = new AnswerAccount();
