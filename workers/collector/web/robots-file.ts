/**
 * The robots.txt of one origin, as its Host keeps it: as it came, because that is bounded, and the rules in it could be too
 * many for one value of storage; and since when it cannot be read. A copy that is too old to go by still judges links.
 */
import { MAX_ROBOTS_BYTES, parseRobots, type Robots } from "./robots.ts";

/** RFC 9309, section 2.4. */
const TTL_MS = 24 * 3600 * 1000;

export class RobotsFile {
  readonly #sql: SqlStorage;
  #rules: Robots | null = null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    // One row. No bytes: it never could be read.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS robots (id INTEGER PRIMARY KEY CHECK (id = 0), bytes BLOB, read_at INTEGER NOT NULL, failing_since INTEGER)",
    );
  }

  /** The first failure after the last success; null when the last try was a success, or there was none. */
  get failingSince(): number | null {
    return this.#sql.exec<{ failing_since: number | null }>("SELECT failing_since FROM robots").toArray()[0]?.failing_since ?? null;
  }

  /** The rules, if the last try to read them was a success and within a day. */
  get rules(): Robots | null {
    const fresh = "SELECT 1 FROM robots WHERE failing_since IS NULL AND read_at > ?";
    return this.#sql.exec(fresh, Date.now() - TTL_MS).toArray().length > 0 ? this.lastRules : null;
  }

  /** The rules as they were last read, however long ago; null when they never were. */
  get lastRules(): Robots | null {
    if (this.#rules !== null) return this.#rules;
    const bytes = this.#sql.exec<{ bytes: ArrayBuffer | null }>("SELECT bytes FROM robots").toArray()[0]?.bytes ?? null;
    return (this.#rules = bytes === null ? null : parseRobots(new TextDecoder().decode(bytes)));
  }

  /** Keeps what a server sent, nothing when it has no such file. */
  keep(sent: Uint8Array<ArrayBuffer>): Robots {
    const bytes = sent.slice(0, MAX_ROBOTS_BYTES);
    this.#sql.exec("INSERT OR REPLACE INTO robots VALUES (0, ?, ?, NULL)", bytes, Date.now());
    return (this.#rules = parseRobots(new TextDecoder().decode(bytes)));
  }

  noteFailure(): void {
    this.#sql.exec(
      "INSERT INTO robots VALUES (0, NULL, 0, ?) ON CONFLICT (id) DO UPDATE SET failing_since = COALESCE(failing_since, excluded.failing_since)",
      Date.now(),
    );
  }
}
