/**
 * Named values for Prometheus. `add` counts since the first deployment; `set` keeps the last value. A name may have a label:
 * `name{label="value"}`.
 */
export class Counters {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value REAL NOT NULL) WITHOUT ROWID");
  }

  add(name: string, amount: number): void {
    if (amount === 0) return;
    this.#sql.exec("INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value", name, amount);
  }

  set(name: string, value: number): void {
    this.#sql.exec("INSERT INTO counters VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value);
  }

  all(): Record<string, number> {
    const rows = this.#sql.exec<{ name: string; value: number }>("SELECT name, value FROM counters ORDER BY name").toArray();
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  }
}
