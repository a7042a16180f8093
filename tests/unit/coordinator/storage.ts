/** A Durable Object's storage with an SQLite database in memory. */
import { DatabaseSync } from "node:sqlite";

export function storage(): { database: DatabaseSync; asStorage: DurableObjectStorage; queries: string[] } {
  const database = new DatabaseSync(":memory:");
  const queries: string[] = [];
  const exec = (query: string, ...values: (string | number | null)[]) => {
    queries.push(query);
    const rows = database.prepare(query).all(...values);
    return { toArray: () => rows, one: () => rows[0] };
  };
  const transactionSync = (work: () => void) => {
    database.exec("BEGIN");
    try {
      work();
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  };
  return { database, asStorage: { sql: { exec }, transactionSync } as unknown as DurableObjectStorage, queries };
}
