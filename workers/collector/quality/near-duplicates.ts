/**
 * Finds texts of the corpus that nearly equal a new text, also texts of earlier crawls. A row per band leads from a hash to a text
 * (locality-sensitive hashing), and the sketch of that text confirms the similarity. A text takes 14 rows of two numbers and one row
 * of 448 bytes. A call reads the rows of its 14 bands, however many texts there are.
 */
import { bandsOf, similarityOf, type Sketch } from "./minhash.ts";

/**
 * The least estimated similarity of a near-duplicate. The estimate has a standard deviation of 0.04, so texts with a similarity of
 * 0.8 pass in 99 of 100 cases, and texts with 0.6 in one of 100.
 */
const MIN_SIMILARITY = 0.71;
/** Texts that are compared at most. More texts in one band are copies of a template. */
const MAX_COMPARED = 64;

export interface NearDuplicate {
  sha256: string;
  /** True if an operator has removed the text. */
  isRemoved: boolean;
}

export class NearDuplicates {
  readonly #sql: Pick<SqlStorage, "exec">;

  /** The tables of the corpus must exist. */
  constructor(sql: Pick<SqlStorage, "exec">) {
    this.#sql = sql;
    // `text` is the rowid of a document.
    sql.exec("CREATE TABLE IF NOT EXISTS sketches (text INTEGER PRIMARY KEY, sketch BLOB NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS bands (band INTEGER NOT NULL, text INTEGER NOT NULL, PRIMARY KEY (band, text)) WITHOUT ROWID");
  }

  /** Adds the sketch of the document that was stored last. */
  addLast(sketch: Sketch): void {
    const [row] = this.#sql
      .exec<{ text: number }>("INSERT INTO sketches VALUES (last_insert_rowid(), ?) RETURNING text", new Uint8Array(sketch.buffer))
      .toArray();
    this.#sql.exec("INSERT OR IGNORE INTO bands SELECT value, ?2 FROM json_each(?1)", JSON.stringify(bandsOf(sketch)), row!.text);
  }

  /** The most similar text of another page, or a removed text. Null if none is similar enough. */
  find(sketch: Sketch, url: string): NearDuplicate | null {
    const rows = this.#sql
      .exec<{ sha256: string; bytes: number; sketch: ArrayBuffer }>(
        `SELECT sha256, bytes, sketch FROM
           (SELECT DISTINCT text FROM bands WHERE band IN (SELECT value FROM json_each(?1)) LIMIT ${MAX_COMPARED})
           JOIN documents ON documents.rowid = text JOIN sketches USING (text)
         WHERE bytes = 0 OR EXISTS (SELECT 1 FROM pages WHERE pages.sha256 = documents.sha256 AND pages.url <> ?2)`,
        JSON.stringify(bandsOf(sketch)),
        url,
      )
      .toArray();
    let best: NearDuplicate | null = null;
    let most = MIN_SIMILARITY;
    for (const { sha256, bytes, sketch: known } of rows) {
      const similarity = similarityOf(sketch, new Uint32Array(new Uint8Array(known).buffer));
      if (similarity < most) continue;
      most = similarity;
      best = { sha256, isRemoved: bytes === 0 };
    }
    return best;
  }
}
