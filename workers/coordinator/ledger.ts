/**
 * The Ledger, a single object: what runs and answers have used, by day (UTC), and what they may use today. A run's costs
 * outlive the run.
 */
import { DurableObject } from "cloudflare:workers";
import { DAY_MS, dayOf, endOfDay } from "../../shared/costs/day.ts";
import { PRICES_DATE } from "../../shared/costs/prices.ts";
import { addUsage, centsOfUsage, usageSchema, type Usage } from "../../shared/costs/usage.ts";
import type { Costs } from "../../shared/contracts/costs.ts";
import { Budgets, limitOf } from "./budgets.ts";

/** Days that are kept and shown. */
const KEPT_DAYS = 92;
const ANSWERS = "answers";
const RUN = "run ";

/** The work of a generator since its last report. */
export interface AnswerReport {
  answers: number;
  tokens: number;
  usage: Usage;
}

interface Booking extends Record<string, SqlStorageValue> {
  day: string;
  account: string;
  answers: number;
  tokens: number;
  usage: string;
}

const usageOf = ({ usage }: Booking): Usage => usageSchema.parse(JSON.parse(usage));

/** Tokens that a generator asks for: as many as `wanted` if there are so many left today, but not fewer than `least`. */
export interface TokenRequest {
  least: number;
  wanted: number;
}

export class Ledger extends DurableObject<CoordinatorEnv> {
  readonly #budgets: Budgets;

  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    ctx.storage.sql.exec(
      `CREATE TABLE IF NOT EXISTS bookings (
        day TEXT NOT NULL, account TEXT NOT NULL, answers INTEGER NOT NULL, tokens INTEGER NOT NULL, usage TEXT NOT NULL,
        PRIMARY KEY (day, account)
      ) WITHOUT ROWID`,
    );
    this.#budgets = new Budgets(ctx.storage.sql, {
      answerTokens: limitOf(env.DAILY_ANSWER_TOKENS),
      trainingCents: limitOf(env.DAILY_TRAINING_CENTS),
    });
  }

  /** Returns until when no run may give out tasks, because today's budget of training is spent; null while it is not. */
  async bookRun(run: string, usage: Usage): Promise<number | null> {
    const now = Date.now();
    this.#book(RUN + run, { answers: 0, tokens: 0, usage });
    this.#budgets.spend("trainingCents", centsOfUsage(usage), now);
    return this.#budgets.left("trainingCents", now) > 0 ? null : endOfDay(now);
  }

  /** Tokens of today's budget; 0 when fewer than the least are left. */
  async takeTokens({ least, wanted }: TokenRequest): Promise<number> {
    const now = Date.now();
    const left = this.#budgets.left("answerTokens", now);
    const granted = left < least ? 0 : Math.min(Math.max(least, wanted), left);
    this.#budgets.spend("answerTokens", granted, now);
    return granted;
  }

  /** Books answers, and takes back tokens that were not used. */
  async bookAnswers(report: AnswerReport, returned: number): Promise<void> {
    if (report.answers > 0) this.#book(ANSWERS, report);
    this.#budgets.spend("answerTokens", -Math.max(0, returned), Date.now());
  }

  #book(account: string, { answers, tokens, usage: more }: AnswerReport): void {
    const { sql } = this.ctx.storage;
    const now = Date.now();
    const day = dayOf(now);
    const known = sql.exec<Booking>("SELECT * FROM bookings WHERE day = ? AND account = ?", day, account).toArray()[0];
    const usage = known === undefined ? {} : usageOf(known);
    addUsage(usage, usageSchema.parse(more));
    sql.exec(
      "INSERT OR REPLACE INTO bookings VALUES (?, ?, ?, ?, ?)",
      day,
      account,
      (known?.answers ?? 0) + answers,
      (known?.tokens ?? 0) + tokens,
      JSON.stringify(usage),
    );
    if (known === undefined) sql.exec("DELETE FROM bookings WHERE day < ?", dayOf(now - KEPT_DAYS * DAY_MS));
  }

  async costs(): Promise<Costs> {
    const runs = new Map<string, Usage>();
    const answers: Costs["answers"] = [];
    for (const row of this.ctx.storage.sql.exec<Booking>("SELECT * FROM bookings ORDER BY day")) {
      const usage = usageOf(row);
      if (row.account === ANSWERS)
        answers.push({ day: row.day, answers: row.answers, tokens: row.tokens, cents: centsOfUsage(usage), usage });
      else {
        const run = row.account.slice(RUN.length);
        const total = runs.get(run) ?? {};
        addUsage(total, usage);
        runs.set(run, total);
      }
    }
    const now = Date.now();
    return {
      pricesOf: PRICES_DATE,
      budgets: {
        answerTokens: this.#budgets.state("answerTokens", now),
        trainingCents: this.#budgets.state("trainingCents", now),
        resetsAt: new Date(endOfDay(now)).toISOString(),
      },
      runs: [...runs].map(([run, usage]) => ({ run, cents: centsOfUsage(usage), usage })),
      answers,
    };
  }
}
