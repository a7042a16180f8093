/**
 * The one Catalog object: sources, crawls with their counters, the index of known texts, and the open segment. A document
 * is acknowledged when it is a row here; it leaves the table in the transaction that lists its segment.
 */
import { DurableObject } from "cloudflare:workers";
import {
  canonicalJson,
  manifestKey,
  objectKey,
  successorKey,
  type Document,
  type Hash,
  type SegmentEntry,
} from "../../shared/artifacts.ts";
import { MAX_DURABLE_ROW_BYTES } from "../../shared/limits.ts";
import { getObject, putJson, putObject } from "../../shared/store.ts";
import { namedError } from "../../shared/errors.ts";

/** Text that a segment gathers before it is written. */
const SEGMENT_BYTES = 1024 * 1024;

export interface Source {
  id: string;
  url: string;
  scope: "host" | "path";
  pageBudget: number;
  revisitSeconds: number;
  createdAt: string;
}

export interface Crawl {
  id: string;
  source: string;
  state: "running" | "done";
  queued: number;
  fetched: number;
  failed: number;
  documents: number;
  duplicates: number;
  bytes: number;
  skipped: Record<string, number>;
  startedAt: string;
  finishedAt: string | null;
}

type Row = Record<string, SqlStorageValue>;

const totalBytes = (rows: readonly { bytes: number }[]) => rows.reduce((total, { bytes }) => total + bytes, 0);
const hasBegun = ({ fetched, failed }: Crawl) => fetched + failed > 0;

export class Catalog extends DurableObject<CollectorEnv> {
  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    const { sql } = ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS sources (id TEXT PRIMARY KEY, json TEXT NOT NULL)");
    sql.exec(
      "CREATE TABLE IF NOT EXISTS crawls (id TEXT PRIMARY KEY, source TEXT NOT NULL, started_at INTEGER NOT NULL, json TEXT NOT NULL)",
    );
    sql.exec(
      "CREATE TABLE IF NOT EXISTS documents (sha256 TEXT PRIMARY KEY, source TEXT NOT NULL, url TEXT NOT NULL, bytes INTEGER NOT NULL, json TEXT)",
    );
    sql.exec("CREATE TABLE IF NOT EXISTS pages (url TEXT PRIMARY KEY, sha256 TEXT NOT NULL)");
    sql.exec("CREATE INDEX IF NOT EXISTS pages_sha256 ON pages (sha256)");
    sql.exec("CREATE TABLE IF NOT EXISTS superseded (sha256 TEXT PRIMARY KEY)");
    sql.exec("CREATE TABLE IF NOT EXISTS removals (url TEXT PRIMARY KEY, removed_at TEXT NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS manifests (source TEXT PRIMARY KEY, sequence INTEGER NOT NULL)");
    sql.exec(
      "CREATE TABLE IF NOT EXISTS segments (number INTEGER PRIMARY KEY, source TEXT NOT NULL, hash TEXT NOT NULL, documents INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    );
  }

  /** The last write of segments; the next one waits for it, so that no document is written twice. */
  #writing: Promise<void> = Promise.resolve();

  #rows<T extends Row>(query: string, ...values: SqlStorageValue[]): T[] {
    return this.ctx.storage.sql.exec<T>(query, ...values).toArray();
  }

  async putSource(source: Source): Promise<Source> {
    const known = this.#rows<{ json: string }>("SELECT json FROM sources WHERE id = ?", source.id)[0];
    const kept = known === undefined ? source : { ...source, createdAt: (JSON.parse(known.json) as Source).createdAt };
    this.ctx.storage.sql.exec(
      "INSERT INTO sources VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
      kept.id,
      JSON.stringify(kept),
    );
    return kept;
  }

  async sources(): Promise<Source[]> {
    return this.#rows<{ json: string }>("SELECT json FROM sources ORDER BY id").map(({ json }) => JSON.parse(json) as Source);
  }

  /** Opens a crawl of a source, or returns the one that is running. */
  async openCrawl(source: string): Promise<{ crawl: Crawl; begun: boolean }> {
    const last = this.#lastCrawl(source);
    if (last?.state === "running") return { crawl: last, begun: hasBegun(last) };
    const crawl: Crawl = {
      id: crypto.randomUUID(),
      source,
      state: "running",
      queued: 1,
      fetched: 0,
      failed: 0,
      documents: 0,
      duplicates: 0,
      bytes: 0,
      skipped: {},
      startedAt: new Date().toISOString(),
      finishedAt: null,
    };
    this.ctx.storage.sql.exec("INSERT INTO crawls VALUES (?, ?, ?, ?)", crawl.id, source, Date.now(), JSON.stringify(crawl));
    return { crawl, begun: false };
  }

  #lastCrawl(source: string): Crawl | null {
    const row = this.#rows<{ json: string }>("SELECT json FROM crawls WHERE source = ? ORDER BY started_at DESC LIMIT 1", source)[0];
    return row === undefined ? null : (JSON.parse(row.json) as Crawl);
  }

  async isDue(source: Source): Promise<boolean> {
    const last = this.#lastCrawl(source.id);
    // A running crawl is due if the call that opened it died before it began; to begin twice is harmless.
    if (last?.state === "running") return !hasBegun(last);
    return last === null || Date.now() - Date.parse(last.startedAt) >= source.revisitSeconds * 1000;
  }

  async crawl(id: string): Promise<Crawl | null> {
    const row = this.#rows<{ json: string }>("SELECT json FROM crawls WHERE id = ?", id)[0];
    return row === undefined ? null : (JSON.parse(row.json) as Crawl);
  }

  #change(id: string, change: (crawl: Crawl) => Partial<Crawl>): void {
    const row = this.#rows<{ json: string }>("SELECT json FROM crawls WHERE id = ?", id)[0];
    if (row === undefined) return;
    const crawl = JSON.parse(row.json) as Crawl;
    this.ctx.storage.sql.exec("UPDATE crawls SET json = ? WHERE id = ?", JSON.stringify({ ...crawl, ...change(crawl) }), id);
  }

  async setQueued(id: string, queued: number): Promise<void> {
    this.#change(id, () => ({ queued }));
  }

  /** Pages that are not kept, with the reason. Sitemaps are no pages: their failures count as reasons only. */
  async skip(id: string, reason: string, as: "fetched" | "failed" | "sitemap" = "fetched", count = 1): Promise<void> {
    this.#change(id, (crawl) => ({
      fetched: crawl.fetched + (as === "fetched" ? count : 0),
      failed: crawl.failed + (as === "failed" ? count : 0),
      skipped: { ...crawl.skipped, [reason]: (crawl.skipped[reason] ?? 0) + count },
    }));
  }

  /** Takes a document unless its text is known or its URL was removed. It is safe when this returns. */
  async append(crawl: string, document: Document): Promise<"stored" | "duplicate" | "too-large" | "removed"> {
    if (this.#rows("SELECT 1 FROM removals WHERE url = ?", document.url).length > 0) {
      await this.skip(crawl, "removed");
      return "removed";
    }
    const json = JSON.stringify(document);
    const bytes = new TextEncoder().encode(document.text).length;
    if (new TextEncoder().encode(json).length > MAX_DURABLE_ROW_BYTES / 2) {
      await this.skip(crawl, "too-large");
      return "too-large";
    }
    const { rowsWritten } = this.ctx.storage.sql.exec(
      "INSERT OR IGNORE INTO documents VALUES (?, ?, ?, ?, ?)",
      document.sha256,
      document.source,
      document.url,
      bytes,
      json,
    );
    this.#notePage(document);
    this.#change(crawl, (known) =>
      rowsWritten === 0
        ? { fetched: known.fetched + 1, duplicates: known.duplicates + 1 }
        : { fetched: known.fetched + 1, documents: known.documents + 1, bytes: known.bytes + bytes },
    );
    const open =
      this.#rows<{ bytes: number | null }>(
        "SELECT SUM(bytes) AS bytes FROM documents WHERE source = ? AND json IS NOT NULL",
        document.source,
      )[0]?.bytes ?? 0;
    if (open >= SEGMENT_BYTES) await this.flush(document.source);
    return rowsWritten === 0 ? "duplicate" : "stored";
  }

  /** A page has this text from now on; the one it had counts no longer, unless another page has it, too. */
  #notePage({ url, sha256 }: Document): void {
    const { sql } = this.ctx.storage;
    const before = this.#rows<{ sha256: string }>("SELECT sha256 FROM pages WHERE url = ?", url)[0]?.sha256;
    sql.exec("INSERT INTO pages VALUES (?, ?) ON CONFLICT (url) DO UPDATE SET sha256 = excluded.sha256", url, sha256);
    sql.exec("DELETE FROM superseded WHERE sha256 = ?", sha256);
    if (before === undefined || this.#rows("SELECT 1 FROM pages WHERE sha256 = ? LIMIT 1", before).length > 0) return;
    sql.exec("INSERT INTO superseded VALUES (?)", before);
  }

  async finish(id: string): Promise<void> {
    const crawl = await this.crawl(id);
    if (crawl === null || crawl.state === "done") return;
    await this.flush(crawl.source);
    this.#change(id, () => ({ state: "done", queued: 0, finishedAt: new Date().toISOString() }));
  }

  /** Writes a source's open documents as one segment, then lists it. */
  async flush(source: string): Promise<void> {
    await this.#exclusively(() => this.#flush(source));
  }

  async #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#writing.then(work);
    // A failure belongs to its caller; the next writer starts anew.
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
    // No await below this line until both statements are done: they are one transaction.
    if (this.#rows("SELECT 1 FROM segments WHERE hash = ?", hash).length === 0) {
      this.ctx.storage.sql.exec(
        "INSERT INTO segments (source, hash, documents, bytes) VALUES (?, ?, ?, ?)",
        source,
        hash,
        rows.length,
        bytes,
      );
    }
    for (const { sha256 } of rows) this.ctx.storage.sql.exec("UPDATE documents SET json = NULL WHERE sha256 = ?", sha256);
    await this.#putManifest(source);
  }

  async #putSegment(lines: string): Promise<Hash> {
    const gzip = new Response(lines).body!.pipeThrough(new CompressionStream("gzip"));
    return putObject(this.env.CORPUS, "segment", await new Response(gzip).arrayBuffer());
  }

  async #putManifest(source: string): Promise<void> {
    const { sequence } = this.ctx.storage.sql
      .exec<{ sequence: number }>(
        "INSERT INTO manifests VALUES (?, 1) ON CONFLICT (source) DO UPDATE SET sequence = sequence + 1 RETURNING sequence",
        source,
      )
      .one();
    await this.env.CORPUS.put(
      manifestKey(source, sequence),
      canonicalJson({ format: 1, source, sequence, segments: this.#segments([source]) }),
    );
  }

  /**
   * Removes a URL for good: open documents are dropped, segments that hold it are rewritten without it and deleted, and no
   * later crawl stores it again. Older snapshots find each rewritten segment's successor. What was trained on stays trained.
   */
  async remove(url: string): Promise<{ removed: number }> {
    return this.#exclusively(async () => {
      const { sql } = this.ctx.storage;
      sql.exec("INSERT OR IGNORE INTO removals VALUES (?, ?)", url, new Date().toISOString());
      const rows = this.#rows<{ source: string; json: string | null }>("SELECT source, json FROM documents WHERE url = ?", url);
      // The texts stay in the index, so that they do not come back under another URL.
      sql.exec("UPDATE documents SET json = NULL, bytes = 0 WHERE url = ?", url);
      sql.exec("DELETE FROM pages WHERE url = ?", url);
      let removed = rows.filter(({ json }) => json !== null).length;
      for (const source of new Set(rows.map((row) => row.source))) {
        for (const segment of this.#rows<{ number: number; hash: string }>("SELECT number, hash FROM segments WHERE source = ?", source))
          removed += await this.#rewrite(source, segment, url);
      }
      return { removed };
    });
  }

  /** Takes a URL out of a segment and returns how many documents that were. A crash between two lines is mended by a repetition. */
  async #rewrite(source: string, { number, hash }: { number: number; hash: Hash }, url: string): Promise<number> {
    const { sql } = this.ctx.storage;
    const old = await getObject(this.env.CORPUS, "segment", hash);
    const text = await new Response(new Response(old).body!.pipeThrough(new DecompressionStream("gzip"))).text();
    const lines = text.split("\n").filter((line) => line !== "");
    const kept = lines.filter((line) => (JSON.parse(line) as Document).url !== url);
    if (kept.length === lines.length) return 0;
    const successor = kept.length === 0 ? null : await this.#putSegment(`${kept.join("\n")}\n`);
    await this.env.CORPUS.put(successorKey(hash), canonicalJson({ format: 1, segment: successor }));
    if (successor === null) sql.exec("DELETE FROM segments WHERE number = ?", number);
    else {
      const bytes = kept.reduce((sum, line) => sum + new TextEncoder().encode((JSON.parse(line) as Document).text).length, 0);
      sql.exec("UPDATE segments SET hash = ?, documents = ?, bytes = ? WHERE number = ?", successor, kept.length, bytes, number);
    }
    await this.#putManifest(source);
    await this.env.CORPUS.delete(objectKey("segment", hash));
    return lines.length - kept.length;
  }

  #segments(sources: readonly string[] | undefined): SegmentEntry[] {
    return this.#rows<{ source: string; hash: string; documents: number; bytes: number }>(
      "SELECT source, hash, documents, bytes FROM segments ORDER BY number",
    )
      .filter(({ source }) => sources?.includes(source) ?? true)
      .map(({ hash, documents, bytes }) => ({ hash, documents, bytes }));
  }

  /** Everything collected so far, or that of some sources, as one immutable list: the latest text of each page. Throws NotFound when that is nothing. */
  async snapshot(sources: readonly string[] | undefined): Promise<{ hash: Hash; documents: number; bytes: number; segments: number }> {
    for (const { id } of await this.sources()) if (sources?.includes(id) ?? true) await this.flush(id);
    const segments = this.#segments(sources);
    if (segments.length === 0)
      throw namedError("NotFound", "snapshot: expected at least one document, found none. Register a source and crawl it first.");
    const superseded = this.#rows<{ sha256: string; source: string; bytes: number }>(
      "SELECT sha256, source, bytes FROM superseded JOIN documents USING (sha256) WHERE bytes > 0 ORDER BY sha256",
    ).filter(({ source }) => sources?.includes(source) ?? true);
    const hash = await putJson(this.env.CORPUS, "snapshot", { format: 1, segments, superseded: superseded.map(({ sha256 }) => sha256) });
    const documents = segments.reduce((total, segment) => total + segment.documents, 0) - superseded.length;
    return { hash, documents, bytes: totalBytes(segments) - totalBytes(superseded), segments: segments.length };
  }
}
