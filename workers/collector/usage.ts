/**
 * The collector's use of the platform, stored by day (UTC). At the end of each page, the Host object sends the Catalog what it
 * has used since its last report, queue operations included.
 */
import { dayOf, firstKeptDay } from "../../shared/costs/day.ts";
import { addUsage, usageSchema, type Usage } from "../../shared/costs/usage.ts";

interface Row extends Record<string, SqlStorageValue> {
  day: string;
  usage: string;
}

const usageOf = ({ usage }: Row): Usage => usageSchema.parse(JSON.parse(usage));

export class UsageByDay {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS usage (day TEXT PRIMARY KEY, usage TEXT NOT NULL) WITHOUT ROWID");
  }

  add(more: Usage, now: number): void {
    const day = dayOf(now);
    const known = this.#sql.exec<Row>("SELECT day, usage FROM usage WHERE day = ?", day).toArray()[0];
    const usage = known === undefined ? {} : usageOf(known);
    addUsage(usage, usageSchema.parse(more));
    this.#sql.exec("INSERT OR REPLACE INTO usage VALUES (?, ?)", day, JSON.stringify(usage));
    if (known === undefined) this.#sql.exec("DELETE FROM usage WHERE day < ?", firstKeptDay(now));
  }

  /** Oldest first. */
  all(): { day: string; usage: Usage }[] {
    const rows = this.#sql.exec<Row>("SELECT day, usage FROM usage ORDER BY day").toArray();
    return rows.map((row) => ({ day: row.day, usage: usageOf(row) }));
  }
}
