/**
 * The robots.txt of one origin, as its Host object stores it: the raw bytes, and the time since which the file cannot be read.
 * The raw bytes are stored because their size is limited, while parsed rules could exceed a row. Old rules may not decide
 * about fetches, but they still decide about links.
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
    // One row. `bytes` is null if the file has never been read.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS robots (id INTEGER PRIMARY KEY CHECK (id = 0), bytes BLOB, read_at INTEGER NOT NULL, failing_since INTEGER)",
    );
  }

  /** The time of the first failure after the last success. Null if the last try succeeded or there was no try. */
  get failingSince(): number | null {
    return this.#sql.exec<{ failing_since: number | null }>("SELECT failing_since FROM robots").toArray()[0]?.failing_since ?? null;
  }

  /** The rules, if the last try to read them succeeded within the last day. */
  get rules(): Robots | null {
    const fresh = "SELECT 1 FROM robots WHERE failing_since IS NULL AND read_at > ?";
    return this.#sql.exec(fresh, this.#clock.now() - TTL_MS).toArray().length > 0 ? this.lastRules : null;
  }

  /** The rules of the last successful read, however old. Null if they were never read. */
  get lastRules(): Robots | null {
    if (this.#rules !== null) return this.#rules;
    const bytes = this.#sql.exec<{ bytes: ArrayBuffer | null }>("SELECT bytes FROM robots").toArray()[0]?.bytes ?? null;
    return (this.#rules = bytes === null ? null : parseRobots(new TextDecoder().decode(bytes)));
  }

  /** Stores the bytes that a server sent. No bytes: the server has no such file. */
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
