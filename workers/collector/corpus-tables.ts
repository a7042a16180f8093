/** The tables of corpus.ts. */

/**
 * True for the address of a file (?1) and of its parts (`FILE#n`). These are the addresses from "FILE#" up to, but not including,
 * "FILE$", because "$" is the character after "#".
 */
export const IS_PART = "(url = ?1 OR (url >= ?1 || '#' AND url < ?1 || '$'))";

export function createCorpusTables(sql: SqlStorage): void {
  sql.exec(
    "CREATE TABLE IF NOT EXISTS documents (sha256 TEXT PRIMARY KEY, source TEXT NOT NULL, url TEXT NOT NULL, bytes INTEGER NOT NULL, json TEXT)",
  );
  sql.exec("CREATE INDEX IF NOT EXISTS documents_open ON documents (source) WHERE json IS NOT NULL");
  sql.exec("CREATE TABLE IF NOT EXISTS pages (url TEXT PRIMARY KEY, sha256 TEXT NOT NULL)");
  sql.exec("CREATE INDEX IF NOT EXISTS pages_sha256 ON pages (sha256)");
  // For each page, the sources whose crawls have reached it. A page stored before this table existed has only the source that
  // owns its text.
  sql.exec("CREATE TABLE IF NOT EXISTS page_sources (source TEXT NOT NULL, url TEXT NOT NULL, PRIMARY KEY (source, url))");
  sql.exec(
    "INSERT INTO page_sources SELECT source, pages.url FROM pages JOIN documents USING (sha256) WHERE NOT EXISTS (SELECT 1 FROM page_sources)",
  );
  sql.exec("CREATE TABLE IF NOT EXISTS superseded (sha256 TEXT PRIMARY KEY)");
  sql.exec("CREATE TABLE IF NOT EXISTS removals (url TEXT PRIMARY KEY, removed_at TEXT NOT NULL)");
  sql.exec("CREATE TABLE IF NOT EXISTS manifests (source TEXT PRIMARY KEY, sequence INTEGER NOT NULL)");
  // Sources whose segments have changed since their last manifest was written.
  sql.exec("CREATE TABLE IF NOT EXISTS due (source TEXT PRIMARY KEY)");
  sql.exec(
    "CREATE TABLE IF NOT EXISTS segments (number INTEGER PRIMARY KEY, source TEXT NOT NULL, hash TEXT NOT NULL, documents INTEGER NOT NULL, bytes INTEGER NOT NULL)",
  );
  // Objects that may exist in R2 without a row in `segments`: not listed yet, or replaced by a rewritten segment.
  sql.exec("CREATE TABLE IF NOT EXISTS unlisted (hash TEXT PRIMARY KEY)");
}
