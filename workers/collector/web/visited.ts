/**
 * Remembers the pages that each source has kept, so the next crawl can ask whether a page has changed (RFC 9110, section 13).
 * A row has the validators of the last answer and the page's links. The links are needed because an unchanged page is not sent
 * again but still leads to other pages. Rows are per source, because a page that one source knows may be new to another
 * source.
 */
import { MAX_DURABLE_ROW_BYTES } from "../../../shared/limits.ts";

/** Validators as a server sent them; null if the server sent none. */
export interface Validators {
  etag: string | null;
  lastModified: string | null;
}

interface Row extends Record<string, SqlStorageValue> {
  etag: string | null;
  last_modified: string | null;
  links: string;
}

/**
 * A page with a longer list of links is not remembered and is fetched in full next time. Counted in UTF-16 code units, each at
 * most three bytes.
 */
const MAX_LINKS_LENGTH = MAX_DURABLE_ROW_BYTES / 4;

export class Visited {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    // `links` has one path per line, all on this origin.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS visited (source TEXT NOT NULL, url TEXT NOT NULL, etag TEXT, last_modified TEXT, links TEXT NOT NULL, PRIMARY KEY (source, url))",
    );
    sql.exec("CREATE INDEX IF NOT EXISTS visited_url ON visited (url)");
  }

  #row(source: string, url: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT etag, last_modified, links FROM visited WHERE source = ? AND url = ?", source, url).toArray()[0];
  }

  /** Headers that ask for a page only if it has changed; no headers if the page is not known. */
  conditions(source: string, url: string): Record<string, string> {
    const row = this.#row(source, url);
    return {
      ...(row?.etag ? { "if-none-match": row.etag } : {}),
      ...(row?.last_modified ? { "if-modified-since": row.last_modified } : {}),
    };
  }

  /** The links of a known page. */
  links(source: string, url: string): string[] {
    const paths = this.#row(source, url)?.links ?? "";
    return paths === "" ? [] : paths.split("\n").map((path) => new URL(path, url).href);
  }

  /** Remembers a kept page. Links to other origins are left out, because no crawl of this host follows them. */
  keep(source: string, url: string, { etag, lastModified }: Validators, links: readonly string[]): void {
    const { origin } = new URL(url);
    const here = links.filter((href) => href.startsWith(`${origin}/`)).map((href) => href.slice(origin.length));
    const paths = [...new Set(here)].join("\n");
    if ((etag === null && lastModified === null) || paths.length > MAX_LINKS_LENGTH) return this.#forget(source, url);
    this.#sql.exec("INSERT OR REPLACE INTO visited VALUES (?, ?, ?, ?, ?)", source, url, etag, lastModified, paths);
  }

  #forget(source: string, url: string): void {
    this.#sql.exec("DELETE FROM visited WHERE source = ? AND url = ?", source, url);
  }

  /** Forgets a page, so every source fetches it in full the next time. */
  forget(url: string): void {
    this.#sql.exec("DELETE FROM visited WHERE url = ?", url);
  }
}
