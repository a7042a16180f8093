/**
 * The robots.txt of one origin as its Host object keeps it: the bytes as they came, because they are bounded while their
 * parsed rules may exceed a row; and since when the file cannot be read. Rules that are too old to fetch by still judge links.
 */
import type { Clock } from "./clock.ts";
import { MAX_ROBOTS_BYTES, parseRobots, type Robots } from "./robots.ts";

/** RFC 9309, section 2.4. */
const TTL_MS = 24 * 3600 * 1000;

export class RobotsFile {
  readonly #sql: SqlStorage;
  readonly #clock: Clock;
  #rules: Robots | null = null;

  constructor(sql: SqlStorage, clock: Clock) {
    this.#sql = sql;
    this.#clock = clock;
    // One row. Without bytes when the file has never been read.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS robots (id INTEGER PRIMARY KEY CHECK (id = 0), bytes BLOB, read_at INTEGER NOT NULL, failing_since INTEGER)",
    );
  }

  /** The first failure after the last success; null when the last try was a success or none was made. */
  get failingSince(): number | null {
    return this.#sql.exec<{ failing_since: number | null }>("SELECT failing_since FROM robots").toArray()[0]?.failing_since ?? null;
  }

  /** The rules, if the last try to read them was a success within a day. */
  get rules(): Robots | null {
    const fresh = "SELECT 1 FROM robots WHERE failing_since IS NULL AND read_at > ?";
    return this.#sql.exec(fresh, this.#clock.now() - TTL_MS).toArray().length > 0 ? this.lastRules : null;
  }

  /** The rules as they were last read, however long ago; null when they were never read. */
  get lastRules(): Robots | null {
    if (this.#rules !== null) return this.#rules;
    const bytes = this.#sql.exec<{ bytes: ArrayBuffer | null }>("SELECT bytes FROM robots").toArray()[0]?.bytes ?? null;
    return (this.#rules = bytes === null ? null : parseRobots(new TextDecoder().decode(bytes)));
  }

  /** Keeps what a server sent; no bytes when it has no such file. */
  keep(sent: Uint8Array<ArrayBuffer>): Robots {
    const bytes = sent.slice(0, MAX_ROBOTS_BYTES);
    this.#sql.exec("INSERT OR REPLACE INTO robots VALUES (0, ?, ?, NULL)", bytes, this.#clock.now());
    return (this.#rules = parseRobots(new TextDecoder().decode(bytes)));
  }

  noteFailure(): void {
    this.#sql.exec(
      "INSERT INTO robots VALUES (0, NULL, 0, ?) ON CONFLICT (id) DO UPDATE SET failing_since = COALESCE(failing_since, excluded.failing_since)",
      this.#clock.now(),
    );
  }
}
