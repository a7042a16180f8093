/**
 * Follows the progress that runs report: adds it to the counters, and raises an alert when a run has failed or makes no progress.
 */
import type { RunReport } from "../../shared/costs/reports.ts";
import type { Alerts } from "./alerts.ts";
import type { Counters } from "./counters.ts";

/** An open run without progress for this long raises an alert. The longest lease is shorter. */
export const STALL_MS = 30 * 60_000;

interface Row extends Record<string, SqlStorageValue> {
  round: number;
  tokens: number;
  refused: number;
  position: string;
  since: number;
}

/** The progress since the last report. If the value has fallen (after a rollback, or in a new run with an old run's name), it is 0. */
const gained = (value: number, before: number | undefined) => Math.max(0, value - (before ?? 0));

export class RunProgress {
  readonly #sql: SqlStorage;
  readonly #counters: Counters;
  readonly #alerts: Alerts;

  constructor(sql: SqlStorage, counters: Counters, alerts: Alerts) {
    this.#sql = sql;
    this.#counters = counters;
    this.#alerts = alerts;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS progress (
        run TEXT PRIMARY KEY, round INTEGER NOT NULL, tokens INTEGER NOT NULL, refused INTEGER NOT NULL, position TEXT NOT NULL, since INTEGER NOT NULL
      ) WITHOUT ROWID`,
    );
  }

  note({ run, round, tokens, refused, position, queueAgeMs, isOpen, error }: RunReport, now: number): void {
    const known = this.#sql.exec<Row>("SELECT * FROM progress WHERE run = ?", run).toArray()[0];
    this.#counters.add("tiffin_rounds_total", gained(round, known?.round));
    this.#counters.add("tiffin_trained_tokens_total", gained(tokens, known?.tokens));
    this.#counters.add("tiffin_refused_submissions_total", gained(refused, known?.refused));
    if (queueAgeMs !== null) this.#counters.set("tiffin_steps_queue_age_seconds", queueAgeMs / 1000);
    // A closed run need not make progress, so its position differs from the same position when open. So its time without progress
    // starts at zero when it opens again.
    const standing = isOpen ? position : `${position}, closed`;
    const since = known?.position === standing ? known.since : now;
    if (known?.position !== standing || known.refused !== refused)
      this.#sql.exec("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?)", run, round, tokens, refused, standing, since);
    if (error !== null) this.#alerts.raise(`failed ${run} ${error}`, `the run ${run} has failed: ${error}`, now);
    else if (isOpen && now - since >= STALL_MS)
      this.#alerts.raise(`stalled ${run} ${position}`, `the run ${run} makes no progress in round ${round}`, now);
  }
}
