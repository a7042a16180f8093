/**
 * The frontier in a Durable Object's SQLite: one row per crawl and per entry. All statements are synchronous, so a change
 * never awaits.
 */
import type { ActiveCrawl, Entry, FrontierStore } from "./frontier.ts";

type Row<T> = { [Key in keyof T]: T[Key] & SqlStorageValue };

export function createFrontierStore(sql: SqlStorage): FrontierStore {
  sql.exec(
    "CREATE TABLE IF NOT EXISTS active (crawl TEXT PRIMARY KEY, source TEXT NOT NULL, start TEXT NOT NULL, scope TEXT NOT NULL, budget INTEGER NOT NULL)",
  );
  // Older tables lack the column `adapter`. All their crawls are crawls of sites.
  if (sql.exec("SELECT 1 FROM pragma_table_info('active') WHERE name = 'adapter'").toArray().length === 0)
    sql.exec("ALTER TABLE active ADD COLUMN adapter TEXT NOT NULL DEFAULT 'site'");
  sql.exec(
    "CREATE TABLE IF NOT EXISTS frontier (crawl TEXT NOT NULL, url TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (crawl, url))",
  );
  return {
    load: () => ({
      crawls: sql.exec<Row<ActiveCrawl>>("SELECT crawl, source, adapter, start, scope, budget FROM active ORDER BY rowid").toArray(),
      entries: sql.exec<Row<Entry>>("SELECT crawl, url, kind, state, number, attempts FROM frontier ORDER BY number").toArray(),
    }),
    putCrawl: ({ crawl, source, adapter, start, scope, budget }) => {
      sql.exec(
        "INSERT INTO active (crawl, source, adapter, start, scope, budget) VALUES (?, ?, ?, ?, ?, ?)",
        crawl,
        source,
        adapter,
        start,
        scope,
        budget,
      );
    },
    putEntry: ({ crawl, url, kind, state, number, attempts }) => {
      sql.exec(
        "INSERT OR REPLACE INTO frontier (crawl, url, kind, state, number, attempts) VALUES (?, ?, ?, ?, ?, ?)",
        crawl,
        url,
        kind,
        state,
        number,
        attempts,
      );
    },
    deleteCrawl: (crawl) => {
      sql.exec("DELETE FROM frontier WHERE crawl = ?", crawl);
      sql.exec("DELETE FROM active WHERE crawl = ?", crawl);
    },
  };
}
