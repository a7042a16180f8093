/**
 * The daily budgets: tokens for answers, and cents for training. A generator takes tokens before it uses them and returns the
 * rest. A run reports cents after it has spent them, at least every 15 seconds while it works.
 */
import { dayOf } from "../../shared/costs/day.ts";

export type BudgetName = "answerTokens" | "trainingCents";

export interface BudgetState {
  /** Null for no limit. */
  limit: number | null;
  spent: number;
}

/** Reads the setting of a budget: a number, or `off` for no limit. Any other text means 0, so nothing may be spent. */
export function limitOf(setting: string): number | null {
  if (setting.trim() === "off") return null;
  const limit = Number(setting.trim() || Number.NaN);
  return Number.isFinite(limit) && limit >= 0 ? limit : 0;
}

export class Budgets {
  readonly #sql: SqlStorage;
  readonly #limits: Readonly<Record<BudgetName, number | null>>;

  constructor(sql: SqlStorage, limits: Readonly<Record<BudgetName, number | null>>) {
    this.#sql = sql;
    this.#limits = limits;
    sql.exec("CREATE TABLE IF NOT EXISTS budgets (budget TEXT PRIMARY KEY, day TEXT NOT NULL, spent REAL NOT NULL) WITHOUT ROWID");
  }

  /** The budget's limit, and the amount that was spent today. */
  state(budget: BudgetName, now: number): BudgetState {
    const row = this.#sql.exec<{ day: string; spent: number }>("SELECT day, spent FROM budgets WHERE budget = ?", budget).toArray()[0];
    return { limit: this.#limits[budget], spent: row?.day === dayOf(now) ? row.spent : 0 };
  }

  /** The part of today's budget that is not spent; Infinity without a limit. */
  left(budget: BudgetName, now: number): number {
    const { limit, spent } = this.state(budget, now);
    return limit === null ? Infinity : Math.max(0, limit - spent);
  }

  /** Adds to today's spent amount. A negative amount is a refund. */
  spend(budget: BudgetName, amount: number, now: number): void {
    if (amount === 0) return;
    const spent = Math.max(0, this.state(budget, now).spent + amount);
    this.#sql.exec("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?)", budget, dayOf(now), spent);
  }
}
