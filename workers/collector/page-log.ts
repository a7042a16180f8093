/** The last pages of all crawls, with what became of each. */
import type { CrawlPages, CrawlPagesQuery, PageVerdict } from "../../shared/contracts/documents.ts";

/** Older pages are deleted. */
export const PAGES_KEPT = 5000;
const PAGE = 100;

type Logged = { number: number; url: string; verdict: PageVerdict; reason: string | null; at: number };

export class PageLog {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS crawl_pages (number INTEGER PRIMARY KEY, crawl TEXT NOT NULL, url TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT, at INTEGER NOT NULL)",
    );
  }

  add(crawl: string, url: string, verdict: PageVerdict, reason: string | null = null): void {
    const { number } = this.#sql
      .exec<{ number: number }>(
        "INSERT INTO crawl_pages (crawl, url, verdict, reason, at) VALUES (?, ?, ?, ?, ?) RETURNING number",
        crawl,
        url,
        verdict,
        reason,
        Date.now(),
      )
      .one();
    this.#sql.exec("DELETE FROM crawl_pages WHERE number <= ?", number - PAGES_KEPT);
  }

  /** Newest first. */
  of(crawl: string, { verdict, cursor = Number.MAX_SAFE_INTEGER }: CrawlPagesQuery): CrawlPages {
    const rows = this.#sql
      .exec<Logged>(
        `SELECT number, url, verdict, reason, at FROM crawl_pages WHERE crawl = ?1 AND number < ?2 AND (?3 IS NULL OR verdict = ?3)
         ORDER BY number DESC LIMIT ?4`,
        crawl,
        cursor,
        verdict ?? null,
        PAGE + 1,
      )
      .toArray();
    const pages = rows.slice(0, PAGE);
    return {
      pages: pages.map(({ url, verdict: each, reason, at }) => ({ url, verdict: each, reason, at: new Date(at).toISOString() })),
      cursor: rows.length > PAGE ? pages.at(-1)!.number : null,
    };
  }
}
