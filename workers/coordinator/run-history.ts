/**
 * The history of a run in SQL: committed rounds and evaluations. Every scanned row is billed, so a status reads a fixed number
 * of rows, however long the run is. The rows that each status needs stay in memory between events.
 */
import type { Curve, CurveQuery, Stretch } from "../../shared/contracts/curve.ts";
import { roundLoss, type RunState } from "../../shared/training/protocol/run-state.ts";

export interface RoundRow extends Record<string, SqlStorageValue> {
  round: number;
  loss: number;
  committed_at: number;
}

export interface EvaluationRow extends Record<string, SqlStorageValue> {
  round: number;
  checkpoint: string;
  val_loss: number;
  started_at: number;
  ended_at: number;
  /** The time when the evaluated checkpoint was committed; null for the run's first checkpoint. */
  committed_at: number | null;
}

/** The part of the history that every status shows. */
export interface HistorySummary {
  firstLoss: number | null;
  /** The last rounds, oldest first. */
  recent: readonly RoundRow[];
  evaluations: readonly EvaluationRow[];
}

/** Rounds in a summary. This is enough to measure the token rate. */
const RECENT_ROUNDS = 9;

const pointOf = ({ round, loss }: RoundRow) => ({ round, loss });

export class RunHistory {
  readonly #sql: SqlStorage;
  /** Null before the first read, and after a change that cannot be applied to the summary. */
  #summary: HistorySummary | null = null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS rounds (round INTEGER PRIMARY KEY, loss REAL NOT NULL, committed_at INTEGER NOT NULL)");
    sql.exec(
      `CREATE TABLE IF NOT EXISTS evaluations (
        round INTEGER PRIMARY KEY, checkpoint TEXT NOT NULL, val_loss REAL NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL
      )`,
    );
  }

  /** Writes the rows that an event adds. The rows follow from the two states, so an event that the reducer refused adds no rows. */
  record(before: RunState, after: RunState, now: number): void {
    if (after.rollbacks.length > before.rollbacks.length) {
      this.#summary = null;
      this.#sql.exec("DELETE FROM rounds WHERE round >= ?", after.base.round);
    } else if (after.evaluations > before.evaluations) {
      this.#summary = null;
      const { base, valLoss } = after.kept.at(-1)!;
      const startedAt = before.evaluatingSince ?? now;
      this.#sql.exec("INSERT OR REPLACE INTO evaluations VALUES (?, ?, ?, ?, ?)", base.round, base.checkpoint, valLoss, startedAt, now);
    } else if (after.base !== before.base) this.#commit({ round: before.base.round, loss: roundLoss(before), committed_at: now });
  }

  #commit(row: RoundRow): void {
    this.#sql.exec("INSERT OR REPLACE INTO rounds VALUES (?, ?, ?)", row.round, row.loss, row.committed_at);
    if (this.#summary === null) return;
    const { firstLoss, recent } = this.#summary;
    this.#summary = { ...this.#summary, firstLoss: firstLoss ?? row.loss, recent: [...recent, row].slice(-RECENT_ROUNDS) };
  }

  /** Forgets the summary in memory. Call this after a rolled-back transaction. */
  forget(): void {
    this.#summary = null;
  }

  summary(): HistorySummary {
    this.#summary ??= {
      firstLoss: this.#rounds("ORDER BY round LIMIT 1")[0]?.loss ?? null,
      recent: this.#rounds(`ORDER BY round DESC LIMIT ${RECENT_ROUNDS}`).toReversed(),
      evaluations: this.#sql
        .exec<EvaluationRow>(
          `SELECT evaluations.*, rounds.committed_at FROM evaluations
          LEFT JOIN rounds ON rounds.round = evaluations.round - 1 ORDER BY evaluations.round`,
        )
        .toArray(),
    };
    return this.#summary;
  }

  /** The loss curve: about `points` rounds at equal distances, and the last round. Reads only these rows. */
  losses(points: number): { round: number; loss: number }[] {
    const first = this.#rounds("ORDER BY round LIMIT 1")[0]?.round;
    const last = this.summary().recent.at(-1)?.round;
    if (first === undefined || last === undefined) return [];
    const every = Math.ceil((last - first + 1) / points);
    const wanted = Array.from({ length: Math.ceil((last - first + 1) / every) }, (_, index) => first + index * every);
    const rounds = JSON.stringify([...new Set([...wanted, last])]);
    return this.#rounds("WHERE round IN (SELECT value FROM json_each(?)) ORDER BY round", rounds).map(pointOf);
  }

  /** Rounds after `round` with their losses, oldest first. */
  lossesAfter(round: number, limit: number): [number, number][] {
    return this.#rounds("WHERE round > ? ORDER BY round LIMIT ?", round, limit).map(({ round: at, loss }) => [at, loss]);
  }

  /**
   * The curve of a range of rounds in equal stretches, at most `points`. A stretch keeps its least and its greatest loss, so a
   * single spike is seen at every zoom.
   */
  curve({ from, to, points }: CurveQuery): Omit<Curve, "run"> {
    const [first] = this.#rounds("WHERE round >= ? ORDER BY round LIMIT 1", from ?? 0);
    const [last] = this.#rounds("WHERE round <= ? ORDER BY round DESC LIMIT 1", to ?? Number.MAX_SAFE_INTEGER);
    if (first === undefined || last === undefined || first.round > last.round) return { stretches: [], every: 1, first: null, last: null };
    const every = Math.ceil((last.round - first.round + 1) / points);
    const rows = this.#sql.exec<{ [Field in keyof Stretch]: number }>(
      `SELECT MAX(round) AS round, MIN(loss) AS low, AVG(loss) AS mean, MAX(loss) AS high, MAX(committed_at) AS at
        FROM rounds WHERE rounds.round BETWEEN ?1 AND ?2 GROUP BY CAST((rounds.round - ?1) / ?3 AS INTEGER) ORDER BY 1`,
      first.round,
      last.round,
      every,
    );
    return { stretches: rows.toArray(), every, first: pointOf(first), last: pointOf(last) };
  }

  #rounds(clauses: string, ...values: SqlStorageValue[]): RoundRow[] {
    return this.#sql.exec<RoundRow>(`SELECT * FROM rounds ${clauses}`, ...values).toArray();
  }
}
