/**
 * The Ledger, a single object. It books the usage of runs and answers per day (UTC), keeps the daily budgets and the counters for
 * Prometheus, and sends alerts. A run's costs outlive the run.
 */
import { DurableObject } from "cloudflare:workers";
import type { CreatedKey, Key, KeyRequest, KeyUse } from "../../shared/contracts/keys.ts";
import type { Costs } from "../../shared/contracts/costs.ts";
import { dayOf, endOfDay, firstKeptDay } from "../../shared/costs/day.ts";
import { LATENCY_BOUNDS } from "../../shared/costs/latency.ts";
import { PRICES_DATE } from "../../shared/costs/prices.ts";
import type { AnswerReport, RunReport } from "../../shared/costs/reports.ts";
import { addUsage, centsOfUsage, usageSchema, type Usage } from "../../shared/costs/usage.ts";
import { MAX_D1_BYTES } from "../../shared/limits.ts";
import { Alerts } from "./alerts.ts";
import { Budgets, limitOf, type BudgetName } from "./budgets.ts";
import { ClientKeys } from "./client-keys.ts";
import { Counters } from "./counters.ts";
import { RunProgress } from "./run-progress.ts";

/** An operator is alerted when this share of a budget or of the database is used. */
const ALERT_SHARE = 0.8;
const BUDGETS: readonly BudgetName[] = ["answerTokens", "trainingCents"];
const ANSWERS = "answers";
const RUN = "run ";
const GATEWAY = "gateway";

interface Booking extends Record<string, SqlStorageValue> {
  day: string;
  account: string;
  answers: number;
  tokens: number;
  usage: string;
}

const usageOf = ({ usage }: Booking): Usage => usageSchema.parse(JSON.parse(usage));

/** A generator's request for tokens: at most `wanted`. If fewer than `least` are left today, the request is refused. */
export interface TokenRequest {
  least: number;
  wanted: number;
}

export class Ledger extends DurableObject<CoordinatorEnv> {
  readonly #budgets: Budgets;
  readonly #counters: Counters;
  readonly #alerts: Alerts;
  readonly #progress: RunProgress;
  readonly #keys: ClientKeys;

  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    const { sql } = ctx.storage;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS bookings (
        day TEXT NOT NULL, account TEXT NOT NULL, answers INTEGER NOT NULL, tokens INTEGER NOT NULL, usage TEXT NOT NULL,
        PRIMARY KEY (day, account)
      ) WITHOUT ROWID`,
    );
    this.#budgets = new Budgets(sql, {
      answerTokens: limitOf(env.DAILY_ANSWER_TOKENS),
      trainingCents: limitOf(env.DAILY_TRAINING_CENTS),
    });
    this.#counters = new Counters(sql);
    this.#alerts = new Alerts(sql);
    this.#keys = new ClientKeys(sql);
    this.#progress = new RunProgress(sql, this.#counters, this.#alerts);
  }

  /**
   * Books what a run has used. If today's training budget is spent, returns the time until which no run may give out tasks;
   * otherwise null.
   */
  async bookRun(report: RunReport): Promise<number | null> {
    const now = Date.now();
    const { run, usage } = report;
    const cents = centsOfUsage(usage);
    this.#book(RUN + run, { answers: 0, tokens: 0, usage }, now);
    this.#spend("trainingCents", cents, now);
    const isSpent = this.#budgets.left("trainingCents", now) <= 0;
    this.#progress.note({ ...report, isOpen: report.isOpen && !isSpent }, now);
    this.env.METRICS?.writeDataPoint({ indexes: ["run"], blobs: [run, report.position], doubles: [report.round, report.tokens, cents] });
    return isSpent ? endOfDay(now) : null;
  }

  /** Takes tokens from today's budget and returns their number: 0 if fewer than `least` are left. */
  async takeTokens({ least, wanted }: TokenRequest): Promise<number> {
    const now = Date.now();
    const left = this.#budgets.left("answerTokens", now);
    if (left < least) this.#counters.add("tiffin_over_budget_total", 1);
    const granted = left < least ? 0 : Math.min(Math.max(least, wanted), left);
    this.#budgets.spend("answerTokens", granted, now);
    return granted;
  }

  /** Books answers, and returns unused tokens to the budget. */
  async bookAnswers(report: AnswerReport, returned: number): Promise<void> {
    const now = Date.now();
    this.#spend("answerTokens", -Math.max(0, returned), now);
    const { answers, tokens, latencies, d1Bytes } = report;
    if (answers === 0) return;
    this.#book(ANSWERS, report, now);
    this.#counters.add("tiffin_answers_total", answers);
    this.#counters.add("tiffin_answer_tokens_total", tokens);
    for (const [index, bound] of LATENCY_BOUNDS.entries())
      this.#counters.add(`tiffin_answer_seconds_bucket{le="${bound}"}`, latencies.counts[index] ?? 0);
    this.#counters.add('tiffin_answer_seconds_bucket{le="+Inf"}', answers);
    this.#counters.add("tiffin_answer_seconds_count", answers);
    this.#counters.add("tiffin_answer_seconds_sum", latencies.sum);
    if (d1Bytes > 0) this.#counters.set("tiffin_d1_bytes", d1Bytes);
    if (d1Bytes >= ALERT_SHARE * MAX_D1_BYTES)
      this.#alerts.raise(`d1 ${dayOf(now)}`, `the database of answers has ${d1Bytes} of ${MAX_D1_BYTES} bytes`, now);
    this.env.METRICS?.writeDataPoint({ indexes: ["answers"], blobs: [], doubles: [answers, tokens, latencies.sum, d1Bytes] });
  }

  /** Books requests of the gateway. */
  async bookGateway(usage: Usage): Promise<void> {
    this.#book(GATEWAY, { answers: 0, tokens: 0, usage }, Date.now());
  }

  createKey(request: KeyRequest): Promise<CreatedKey> {
    return this.#keys.create(request, Date.now());
  }

  async listKeys(): Promise<Key[]> {
    return this.#keys.list(Date.now());
  }

  async hasKeys(): Promise<boolean> {
    return this.#keys.hasKeys();
  }

  /** Throws NotFound. */
  async deleteKey(id: string): Promise<void> {
    this.#keys.delete(id);
  }

  /** Checks a client's key and counts its request. */
  useKey(key: string): Promise<KeyUse> {
    return this.#keys.use(key, Date.now());
  }

  async spendKey(id: string, tokens: number): Promise<void> {
    this.#keys.spend(id, tokens, Date.now());
  }

  /** Counts messages that a queue moved to its dead-letter queue. */
  async bookDeadLetters(queue: string, messages: number): Promise<void> {
    this.#counters.add(`tiffin_dead_letters_total{queue="${queue}"}`, messages);
    this.#alerts.raise(`dead ${queue} ${dayOf(Date.now())}`, `messages of the queue ${queue} are given up today`, Date.now());
  }

  /** Sends the open alerts to a webhook. Never throws. */
  async sendAlerts(webhook: string): Promise<void> {
    await this.#alerts.send(webhook, (address, init) => fetch(address, init));
  }

  /** Spends from a budget. Raises one alert a day once ALERT_SHARE of the budget is spent. */
  #spend(budget: BudgetName, amount: number, now: number): void {
    this.#budgets.spend(budget, amount, now);
    const { limit, spent } = this.#budgets.state(budget, now);
    if (limit !== null && spent >= ALERT_SHARE * limit)
      this.#alerts.raise(`budget ${budget} ${dayOf(now)}`, `${Math.round(spent)} of today's ${limit} ${budget} are spent`, now);
  }

  #book(account: string, { answers, tokens, usage: more }: Pick<AnswerReport, "answers" | "tokens" | "usage">, now: number): void {
    const { sql } = this.ctx.storage;
    const day = dayOf(now);
    const known = sql.exec<Booking>("SELECT * FROM bookings WHERE day = ? AND account = ?", day, account).toArray()[0];
    const usage = known === undefined ? {} : usageOf(known);
    addUsage(usage, usageSchema.parse(more));
    const all = [(known?.answers ?? 0) + answers, (known?.tokens ?? 0) + tokens];
    sql.exec("INSERT OR REPLACE INTO bookings VALUES (?, ?, ?, ?, ?)", day, account, ...all, JSON.stringify(usage));
    if (known === undefined) sql.exec("DELETE FROM bookings WHERE day < ?", firstKeptDay(now));
  }

  /** The values of `GET /metrics`, by their names in Prometheus. */
  async metrics(): Promise<Record<string, number>> {
    const now = Date.now();
    const budgets = BUDGETS.flatMap((budget): [string, number][] => {
      const { limit, spent } = this.#budgets.state(budget, now);
      const spentToday: [string, number] = [`tiffin_budget_spent{budget="${budget}"}`, spent];
      return limit === null ? [spentToday] : [spentToday, [`tiffin_budget_limit{budget="${budget}"}`, limit]];
    });
    return { ...this.#counters.all(), ...Object.fromEntries(budgets), tiffin_unsent_alerts: this.#alerts.unsent() };
  }

  async costs(): Promise<Costs> {
    const runs = new Map<string, Usage>();
    const answers: Costs["answers"] = [];
    const others: Costs["others"] = [];
    for (const row of this.ctx.storage.sql.exec<Booking>("SELECT * FROM bookings ORDER BY day")) {
      const usage = usageOf(row);
      if (row.account === ANSWERS)
        answers.push({ day: row.day, answers: row.answers, tokens: row.tokens, cents: centsOfUsage(usage), usage });
      else if (row.account === GATEWAY) others.push({ worker: "gateway", day: row.day, cents: centsOfUsage(usage), usage });
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
      others,
    };
  }
}
