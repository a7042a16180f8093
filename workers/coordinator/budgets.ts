/**
 * The daily budgets: tokens of answers, cents of training. Generators take tokens before they make them and return what is
 * left; runs report cents after they were spent, at least every quarter of a minute.
 */
import { dayOf } from "../../shared/costs/day.ts";

export type BudgetName = "answerTokens" | "trainingCents";

export interface BudgetState {
  /** Null for no limit. */
  limit: number | null;
  spent: number;
}

/** A budget as the configuration has it: a number, or `off`. Anything else is no budget at all, so nothing may be spent. */
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

  /** Today's. */
  state(budget: BudgetName, now: number): BudgetState {
    const row = this.#sql.exec<{ day: string; spent: number }>("SELECT day, spent FROM budgets WHERE budget = ?", budget).toArray()[0];
    return { limit: this.#limits[budget], spent: row?.day === dayOf(now) ? row.spent : 0 };
  }

  /** What is left of today's budget; Infinity without a limit. */
  left(budget: BudgetName, now: number): number {
    const { limit, spent } = this.state(budget, now);
    return limit === null ? Infinity : Math.max(0, limit - spent);
  }

  /** Adds to what was spent today; a negative amount gives back. */
  spend(budget: BudgetName, amount: number, now: number): void {
    if (amount === 0) return;
    const spent = Math.max(0, this.state(budget, now).spent + amount);
    this.#sql.exec("INSERT OR REPLACE INTO budgets VALUES (?, ?, ?)", budget, dayOf(now), spent);
  }
}
