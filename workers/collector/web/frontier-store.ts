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
  const addColumn = (name: string, before: string) => {
    if (sql.exec("SELECT 1 FROM pragma_table_info('active') WHERE name = ?", name).toArray().length === 0)
      sql.exec(`ALTER TABLE active ADD COLUMN ${name} TEXT NOT NULL DEFAULT '${before}'`);
  };
  addColumn("adapter", "site");
  // Crawls that began before documents were judged keep all texts.
  addColumn("quality", "none");
  sql.exec(
    "CREATE TABLE IF NOT EXISTS frontier (crawl TEXT NOT NULL, url TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (crawl, url))",
  );
  return {
    load: () => ({
      crawls: sql
        .exec<Row<ActiveCrawl>>("SELECT crawl, source, adapter, quality, start, scope, budget FROM active ORDER BY rowid")
        .toArray(),
      entries: sql.exec<Row<Entry>>("SELECT crawl, url, kind, state, number, attempts FROM frontier ORDER BY number").toArray(),
    }),
    putCrawl: ({ crawl, source, adapter, quality, start, scope, budget }) => {
      sql.exec(
        "INSERT INTO active (crawl, source, adapter, quality, start, scope, budget) VALUES (?, ?, ?, ?, ?, ?, ?)",
        crawl,
        source,
        adapter,
        quality,
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
