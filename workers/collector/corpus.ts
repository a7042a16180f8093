/**
 * Stores the documents: an index of known texts, the open segments, the current text of each page, and the removed URLs. A
 * document is durable once it has a row here. Later a segment in R2 holds its text; the transaction that lists the segment
 * clears the text in the row.
 */
import {
  encodeDocument,
  manifestKey,
  objectKey,
  successorKey,
  type Document,
  type Hash,
  type SegmentEntry,
} from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { MAX_DURABLE_ROW_BYTES } from "../../shared/limits.ts";
import type { Candidate } from "./candidate.ts";
import { createCorpusTables, IS_PART } from "./corpus-tables.ts";
import { NearDuplicates } from "./quality/near-duplicates.ts";
import { putJson, putObject, putRecord, sha256 as hashOf } from "../../shared/store.ts";
import { segmentText } from "./segment-text.ts";

/** A segment is written when its texts have this many bytes. */
const SEGMENT_BYTES = 1024 * 1024;

export type Verdict = "stored" | "duplicate" | "near-duplicate" | "too-large" | "removed";

type Row = Record<string, SqlStorageValue>;
type Text = { sha256: string; bytes: number };

/** The content of a snapshot: segments, and the texts in these segments that readers must skip. */
interface Content {
  segments: SegmentEntry[];
  superseded: Text[];
}

/** Hashes of the current texts of the pages of some sources. ?1 is a JSON list of source ids. */
const TEXTS_OF = "SELECT sha256 FROM pages JOIN page_sources USING (url) WHERE page_sources.source IN (SELECT value FROM json_each(?1))";

const byteLength = (text: string) => new TextEncoder().encode(text).length;
const totalBytes = (rows: readonly { bytes: number }[]) => rows.reduce((total, { bytes }) => total + bytes, 0);

export class Corpus {
  readonly #sql: SqlStorage;
  readonly #bucket: R2Bucket;
  readonly #nearDuplicates: NearDuplicates;
  /** The last write of segments. The next write waits for this promise, so no document is written twice. */
  #writing: Promise<void> = Promise.resolve();

  constructor(sql: SqlStorage, bucket: R2Bucket) {
    this.#sql = sql;
    this.#bucket = bucket;
    createCorpusTables(sql);
    this.#nearDuplicates = new NearDuplicates(sql);
  }

  #rows<T extends Row>(query: string, ...values: SqlStorageValue[]): T[] {
    return this.#sql.exec<T>(query, ...values).toArray();
  }

  /**
   * Adds a document, unless its text is known or nearly known, its URL or text was removed, or it is too large. Returns the verdict
   * and the bytes of the text. The method never awaits, so the caller's next write is in the same transaction.
   */
  add({ document, sketch }: Pick<Candidate, "document" | "sketch">): { verdict: Verdict; bytes: number } {
    const { sha256, source, url } = document;
    const bytes = byteLength(document.text);
    // With a file, its parts (`FILE#n`) are removed.
    const isRemoved = this.#rows("SELECT 1 FROM removals WHERE url IN (?, ?)", url, url.replace(/#.*$/, "")).length > 0;
    if (isRemoved) return { verdict: "removed", bytes };
    const json = encodeDocument(document);
    if (byteLength(json) > MAX_DURABLE_ROW_BYTES / 2) return { verdict: "too-large", bytes };
    const isKnown = this.#rows("SELECT 1 FROM documents WHERE sha256 = ?", sha256).length > 0;
    const near = isKnown || sketch === null ? null : this.#nearDuplicates.find(sketch, url);
    if (near?.isRemoved) return { verdict: "removed", bytes };
    if (!isKnown && near === null) {
      this.#sql.exec("INSERT INTO documents VALUES (?, ?, ?, ?, ?)", sha256, source, url, bytes, json);
      if (sketch !== null) this.#nearDuplicates.addLast(sketch);
    }
    // The text of a near-duplicate stays in the corpus as long as one of its pages does.
    this.#setPageText({ url, source, sha256: near?.sha256 ?? sha256 });
    return { verdict: near !== null ? "near-duplicate" : isKnown ? "duplicate" : "stored", bytes };
  }

  /** True if a source's open documents fill a segment. */
  isFull(source: string): boolean {
    const query = "SELECT SUM(bytes) AS bytes FROM documents WHERE source = ? AND json IS NOT NULL";
    return (this.#rows<{ bytes: number | null }>(query, source)[0]?.bytes ?? 0) >= SEGMENT_BYTES;
  }

  /** Replaces the text of a page. */
  #setPageText({ url, sha256, source }: Pick<Document, "url" | "sha256" | "source">): void {
    this.withdraw(url);
    this.#sql.exec("INSERT INTO pages VALUES (?, ?)", url, sha256);
    this.#sql.exec("INSERT OR IGNORE INTO page_sources VALUES (?, ?)", source, url);
    this.#sql.exec("DELETE FROM superseded WHERE sha256 = ?", sha256);
  }

  /** Takes a page's text away. Later snapshots drop the text, unless another page has the same text. */
  withdraw(url: string): void {
    const before = this.#rows<{ sha256: string }>("DELETE FROM pages WHERE url = ? RETURNING sha256", url)[0]?.sha256;
    if (before === undefined || this.#rows("SELECT 1 FROM pages WHERE sha256 = ? LIMIT 1", before).length > 0) return;
    this.#sql.exec("INSERT OR IGNORE INTO superseded VALUES (?)", before);
  }

  /** True if a page or a part of a file has a text. */
  hasPage(url: string): boolean {
    return this.#rows("SELECT 1 FROM pages WHERE url = ?", url).length > 0;
  }

  /** The addresses of a file and its parts (`FILE#n`) that have a text. */
  partsOf(file: string): string[] {
    return this.#rows<{ url: string }>(`SELECT url FROM pages WHERE ${IS_PART}`, file).map(({ url }) => url);
  }

  /**
   * The sources whose segments hold the texts of `sources`. A text is stored once, in a segment of the first source that
   * brought the text.
   */
  owningSources(sources: readonly string[]): string[] {
    const query = `SELECT DISTINCT source FROM documents WHERE sha256 IN (${TEXTS_OF})`;
    return this.#rows<{ source: string }>(query, JSON.stringify(sources)).map(({ source }) => source);
  }

  /** Writes a source's open documents as one segment, then lists it. */
  async flush(source: string): Promise<void> {
    await this.#exclusively(async () => {
      // Due manifests are written first. Until then, the last manifest may name an object that the next line deletes.
      await this.#putManifests();
      await this.#deleteUnlisted();
      await this.#flush(source);
    });
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(work);
    // The caller handles the failure. The next write starts normally.
    this.#writing = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  async #flush(source: string): Promise<void> {
    const rows = this.#rows<{ sha256: string; json: string; bytes: number }>(
      "SELECT sha256, json, bytes FROM documents WHERE source = ? AND json IS NOT NULL ORDER BY rowid",
      source,
    );
    if (rows.length === 0) return;
    const lines = `${rows.map(({ json }) => json).join("\n")}\n`;
    const hash = await this.#putSegment(lines);
    const bytes = totalBytes(rows);
    // No await until all statements are done: they are one transaction.
    if (this.#rows("SELECT 1 FROM segments WHERE hash = ?", hash).length === 0) {
      this.#sql.exec("INSERT INTO segments (source, hash, documents, bytes) VALUES (?, ?, ?, ?)", source, hash, rows.length, bytes);
    }
    this.#sql.exec("DELETE FROM unlisted WHERE hash = ?", hash);
    this.#sql.exec("INSERT OR IGNORE INTO due VALUES (?)", source);
    for (const { sha256 } of rows) this.#sql.exec("UPDATE documents SET json = NULL WHERE sha256 = ?", sha256);
    await this.#putManifests();
  }

  /** Records an object as unlisted, then writes it. The caller deletes the record in the transaction that lists the object. */
  async #putSegment(lines: string): Promise<Hash> {
    const gzip = new Response(lines).body!.pipeThrough(new CompressionStream("gzip"));
    const bytes = await new Response(gzip).arrayBuffer();
    this.#sql.exec("INSERT OR IGNORE INTO unlisted VALUES (?)", await hashOf(bytes));
    return putObject(this.#bucket, "segment", bytes);
  }

  /** Deletes objects that failed writes and removals have left behind. Call this only while no other write runs. */
  async #deleteUnlisted(): Promise<void> {
    for (const { hash } of this.#rows<{ hash: string }>("SELECT hash FROM unlisted")) {
      // If a listed segment has the same content, it is the same object, which must stay.
      if (this.#rows("SELECT 1 FROM segments WHERE hash = ?", hash).length === 0) await this.#bucket.delete(objectKey("segment", hash));
      this.#sql.exec("DELETE FROM unlisted WHERE hash = ?", hash);
    }
  }

  /** Writes every manifest that is due, including manifests whose last write failed. */
  async #putManifests(): Promise<void> {
    for (const { source } of this.#rows<{ source: string }>("SELECT source FROM due")) {
      await this.#putManifest(source);
      this.#sql.exec("DELETE FROM due WHERE source = ?", source);
    }
  }

  async #putManifest(source: string): Promise<void> {
    const { sequence } = this.#sql
      .exec<{ sequence: number }>(
        "INSERT INTO manifests VALUES (?, 1) ON CONFLICT (source) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
        source,
      )
      .one();
    const segments = this.#segments([source]);
    await putRecord(this.#bucket, manifestKey(source, sequence), { format: 1, source, sequence, segments });
  }

  /**
   * Removes a URL and its parts (`URL#n`) for good, also parts that were withdrawn. Their open documents are dropped. Segments with
   * their texts are rewritten, each once, and the old segments are deleted. No later crawl stores the URL or a part of it again. An
   * older snapshot finds the successor of each rewritten segment. Trained models do not change.
   * A text is removed even if other pages have the same text. After a crash, a second call completes the removal.
   */
  async remove(url: string): Promise<{ removed: number }> {
    return this.#exclusively(async () => {
      this.#sql.exec("INSERT OR IGNORE INTO removals VALUES (?, ?)", url, new Date().toISOString());
      const rows = this.#rows<{ sha256: string; source: string; json: string | null }>(
        `SELECT sha256, source, json FROM documents WHERE ${IS_PART} OR sha256 IN (SELECT sha256 FROM pages WHERE ${IS_PART})`,
        url,
      );
      const texts = new Set(rows.map(({ sha256 }) => sha256));
      // The hashes stay in the index, so the texts are refused under another URL too.
      for (const text of texts) this.#sql.exec("UPDATE documents SET json = NULL, bytes = 0 WHERE sha256 = ?", text);
      await this.#putManifests();
      await this.#deleteUnlisted();
      let removed = rows.filter(({ json }) => json !== null).length;
      for (const source of new Set(rows.map((row) => row.source))) {
        for (const segment of this.#rows<{ number: number; hash: string }>("SELECT number, hash FROM segments WHERE source = ?", source))
          removed += await this.#rewrite(segment, texts);
      }
      await this.#putManifests();
      await this.#deleteUnlisted();
      // These rows are deleted last, because after a crash a second call finds the texts through them.
      this.#sql.exec(`DELETE FROM pages WHERE ${IS_PART}`, url);
      return { removed };
    });
  }

  /**
   * Removes texts from a segment and returns the number of removed documents. Each removed document leaves an empty line: a
   * reader in the middle of the segment counts lines, so later lines must keep their numbers.
   */
  async #rewrite({ number, hash }: { number: number; hash: Hash }, texts: ReadonlySet<string>): Promise<number> {
    const lines = (await segmentText(this.#bucket, hash)).split("\n");
    const left = lines.map((line) => (line !== "" && texts.has((JSON.parse(line) as Document).sha256) ? "" : line));
    const removed = lines.filter((line, index) => line !== left[index]).length;
    if (removed === 0) return 0;
    const kept = left.filter((line) => line !== "");
    const successor = kept.length === 0 ? null : await this.#putSegment(left.join("\n"));
    await putRecord(this.#bucket, successorKey(hash), { format: 1, segment: successor });
    // No await after this line: the statements are one transaction.
    this.#sql.exec("INSERT OR IGNORE INTO due SELECT source FROM segments WHERE number = ?", number);
    if (successor === null) this.#sql.exec("DELETE FROM segments WHERE number = ?", number);
    else {
      const bytes = kept.reduce((sum, line) => sum + byteLength((JSON.parse(line) as Document).text), 0);
      this.#sql.exec("UPDATE segments SET hash = ?, documents = ?, bytes = ? WHERE number = ?", successor, kept.length, bytes, number);
      this.#sql.exec("DELETE FROM unlisted WHERE hash = ?", successor);
    }
    this.#sql.exec("INSERT OR IGNORE INTO unlisted VALUES (?)", hash);
    return removed;
  }

  #segments(sources: readonly string[] | undefined): SegmentEntry[] {
    return this.#rows<{ source: string; hash: string; documents: number; bytes: number }>(
      "SELECT source, hash, documents, bytes FROM segments ORDER BY number",
    )
      .filter(({ source }) => sources?.includes(source) ?? true)
      .map(({ hash, documents, bytes }) => ({ hash, documents, bytes }));
  }

  /**
   * Stores the current text of each page, of all sources or of some, as one immutable list. Throws NotFound if the list would
   * be empty.
   */
  async snapshot(sources: readonly string[] | undefined): Promise<{ hash: Hash; documents: number; bytes: number; segments: number }> {
    const { segments, superseded } = sources === undefined ? this.#everything() : this.#ofSources(sources);
    const documents = segments.reduce((total, segment) => total + segment.documents, 0) - superseded.length;
    if (documents === 0)
      throw namedError("NotFound", "snapshot: expected at least one document, found none. Register a source and crawl it first.");
    const hash = await putJson(this.#bucket, "snapshot", { format: 1, segments, superseded: superseded.map(({ sha256 }) => sha256) });
    return { hash, documents, bytes: totalBytes(segments) - totalBytes(superseded), segments: segments.length };
  }

  #everything(): Content {
    const superseded = this.#rows<Text>(
      "SELECT sha256, bytes FROM superseded JOIN documents USING (sha256) WHERE bytes > 0 ORDER BY sha256",
    );
    return { segments: this.#segments(undefined), superseded };
  }

  /** A segment may also hold texts of sources that were not chosen. Such texts are listed as superseded. */
  #ofSources(sources: readonly string[]): Content {
    const owning = this.owningSources(sources);
    const superseded = this.#rows<Text>(
      `SELECT sha256, bytes FROM documents WHERE bytes > 0 AND json IS NULL AND sha256 NOT IN (${TEXTS_OF})
       AND source IN (SELECT value FROM json_each(?2)) ORDER BY sha256`,
      JSON.stringify(sources),
      JSON.stringify(owning),
    );
    return { segments: this.#segments(owning), superseded };
  }
}
