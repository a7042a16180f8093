/** Keys of clients, by their hashes, with quotas per day. A part of the ledger's object. */
import type { CreatedKey, Key, KeyRequest, KeyUse } from "../../shared/contracts/keys.ts";
import { dayOf } from "../../shared/costs/day.ts";
import { hexOf } from "../../shared/bytes/hex.ts";
import { namedError } from "../../shared/errors.ts";
import { sha256 } from "../../shared/store.ts";

const MAX_KEYS = 1000;
const PREFIX = "tiffin-";
const KEY_BYTES = 32;
const ID_DIGITS = 12;

interface Row extends Record<string, SqlStorageValue> {
  id: string;
  hash: string;
  name: string;
  requests_per_day: number | null;
  tokens_per_day: number | null;
  created_at: string;
  day: string;
  requests: number;
  tokens: number;
}

/** A key has 256 random bits, so its plain hash cannot be reversed by trying keys. */
const hashOf = (key: string) => sha256(new TextEncoder().encode(key));

export class ClientKeys {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      `CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, requests_per_day INTEGER, tokens_per_day INTEGER,
        created_at TEXT NOT NULL, day TEXT NOT NULL DEFAULT '', requests INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0
      ) WITHOUT ROWID`,
    );
  }

  /** Reads one row, because the gateway asks every few seconds. */
  hasKeys(): boolean {
    return this.#sql.exec("SELECT 1 FROM keys LIMIT 1").toArray().length > 0;
  }

  async create({ name, requestsPerDay, tokensPerDay }: KeyRequest, now: number): Promise<CreatedKey> {
    const { keys } = this.#sql.exec<{ keys: number }>("SELECT COUNT(*) AS keys FROM keys").one();
    if (keys >= MAX_KEYS) throw namedError("Conflict", `keys: expected at most ${MAX_KEYS}: delete one first`);
    const key = PREFIX + hexOf(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
    const hash = await hashOf(key);
    const id = hash.slice(0, ID_DIGITS);
    const createdAt = new Date(now).toISOString();
    this.#sql.exec(
      "INSERT INTO keys (id, hash, name, requests_per_day, tokens_per_day, created_at) VALUES (?, ?, ?, ?, ?, ?)",
      id,
      hash,
      name,
      requestsPerDay,
      tokensPerDay,
      createdAt,
    );
    return { id, name, requestsPerDay, tokensPerDay, createdAt, today: { requests: 0, tokens: 0 }, key };
  }

  list(now: number): Key[] {
    return this.#sql
      .exec<Row>("SELECT * FROM keys ORDER BY created_at, id")
      .toArray()
      .map((row) => ({
        id: row.id,
        name: row.name,
        requestsPerDay: row.requests_per_day,
        tokensPerDay: row.tokens_per_day,
        createdAt: row.created_at,
        today: row.day === dayOf(now) ? { requests: row.requests, tokens: row.tokens } : { requests: 0, tokens: 0 },
      }));
  }

  /** Throws NotFound. */
  delete(id: string): void {
    const found = this.#sql.exec("DELETE FROM keys WHERE id = ? RETURNING id", id).toArray().length;
    if (found === 0) throw namedError("NotFound", `key: expected the id of a key, got ${id}`);
  }

  /** Counts a request with a key. Without any key, every request is free. */
  async use(key: string, now: number): Promise<KeyUse> {
    const hash = await hashOf(key);
    const row = this.#sql.exec<Row>("SELECT * FROM keys WHERE hash = ?", hash).toArray()[0];
    if (row === undefined) return { kind: this.hasKeys() ? "unknown" : "open" };
    const day = dayOf(now);
    const { requests, tokens } = row.day === day ? row : { requests: 0, tokens: 0 };
    if (row.requests_per_day !== null && requests >= row.requests_per_day)
      return { kind: "spent", quota: `${row.requests_per_day} requests a day` };
    if (row.tokens_per_day !== null && tokens >= row.tokens_per_day) return { kind: "spent", quota: `${row.tokens_per_day} tokens a day` };
    this.#sql.exec("UPDATE keys SET day = ?, requests = ?, tokens = ? WHERE id = ?", day, requests + 1, tokens, row.id);
    return { kind: "granted", id: row.id };
  }

  /** Adds tokens to a key's day. A key that was deleted meanwhile has no day. */
  spend(id: string, tokens: number, now: number): void {
    this.#sql.exec("UPDATE keys SET tokens = tokens + ? WHERE id = ? AND day = ?", tokens, id, dayOf(now));
  }
}
