/**
 * Finds documents: by words of their addresses and titles, and one by its hash. corpus.ts owns the tables that this file reads; the
 * titles are its own. A search reads the rows of the newest documents until a page is full, and no text.
 */
import type { Hash, Document } from "../../shared/artifacts.ts";
import type { Documents, DocumentsQuery } from "../../shared/contracts/documents.ts";
import { IS_PART } from "./corpus-tables.ts";

const PAGE = 50;
/** A list of documents needs no longer titles. */
const MAX_TITLE_LENGTH = 300;

/** Where a document's text is: in its row, or in one of these segments, the most probable first. */
export type Place = { json: string } | { segments: Hash[] };

type Listed = { number: number; sha256: string; url: string; title: string | null; source: string; bytes: number };

export class DocumentIndex {
  readonly #sql: SqlStorage;

  /** The tables of the corpus must exist. */
  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS titles (sha256 TEXT PRIMARY KEY, title TEXT NOT NULL) WITHOUT ROWID");
  }

  add({ sha256, title }: Document): void {
    this.#sql.exec("INSERT OR IGNORE INTO titles VALUES (?, ?)", sha256, title.slice(0, MAX_TITLE_LENGTH));
  }

  /** Forgets the titles of an address and its parts. Call this before the corpus removes the address. */
  forget(url: string): void {
    this.#sql.exec(
      `DELETE FROM titles WHERE sha256 IN (SELECT sha256 FROM documents WHERE ${IS_PART} UNION SELECT sha256 FROM pages WHERE ${IS_PART})`,
      url,
    );
  }

  search({ query = "", source = "", cursor = Number.MAX_SAFE_INTEGER }: DocumentsQuery): Documents {
    const part = `%${query.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
    const rows = this.#sql
      .exec<Listed>(
        `SELECT documents.rowid AS number, sha256, url, title, source, bytes FROM documents LEFT JOIN titles USING (sha256)
         WHERE documents.rowid < ?1 AND bytes > 0 AND (?2 = '' OR source = ?2)
         AND (?3 = '%%' OR url LIKE ?3 ESCAPE '\\' OR title LIKE ?3 ESCAPE '\\')
         AND NOT EXISTS (SELECT 1 FROM superseded WHERE superseded.sha256 = documents.sha256)
         ORDER BY documents.rowid DESC LIMIT ?4`,
        cursor,
        source,
        part,
        PAGE + 1,
      )
      .toArray();
    const documents = rows.slice(0, PAGE);
    return {
      documents: documents.map(({ sha256, url, title, source: from, bytes }) => ({ sha256, url, title, source: from, bytes })),
      cursor: rows.length > PAGE ? documents.at(-1)!.number : null,
    };
  }

  /** Null for a text that is not in the corpus. */
  placeOf(sha256: string): Place | null {
    const row = this.#sql
      .exec<{ number: number; source: string; json: string | null }>(
        "SELECT rowid AS number, source, json FROM documents WHERE sha256 = ? AND bytes > 0",
        sha256,
      )
      .toArray()[0];
    if (row === undefined) return null;
    if (row.json !== null) return { json: row.json };
    // Segments hold the documents of a source in the order of their rows, so the number of rows before tells the segment.
    const { before } = this.#sql
      .exec<{ before: number }>(
        "SELECT COUNT(*) AS before FROM documents WHERE source = ? AND rowid < ? AND bytes > 0 AND json IS NULL",
        row.source,
        row.number,
      )
      .one();
    const segments = this.#sql
      .exec<{ hash: string; documents: number }>("SELECT hash, documents FROM segments WHERE source = ? ORDER BY number", row.source)
      .toArray();
    let end = 0;
    const ends = segments.map(({ documents }) => (end += documents));
    const guess = Math.max(
      0,
      ends.findIndex((each) => each > before),
    );
    const nearest = segments.map(({ hash }, index) => ({ hash, far: Math.abs(index - guess) })).toSorted((a, b) => a.far - b.far);
    return { segments: nearest.map(({ hash }) => hash) };
  }
}
