/**
 * The Catalog, a single Durable Object. It stores the sources, and the crawls with their counters. corpus.ts stores the documents
 * in the same storage.
 */
import { DurableObject } from "cloudflare:workers";
import type { Hash } from "../../shared/artifacts.ts";
import { crawlSchema, type Crawl, type Source, type SourceReport } from "../../shared/contracts/sources.ts";
import type { CorpusTotals } from "../../shared/contracts/overview.ts";
import type { CrawlPages, CrawlPagesQuery, Documents, DocumentsQuery } from "../../shared/contracts/documents.ts";
import { Meter } from "../../shared/costs/meter.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { log } from "../../shared/log.ts";
import { Signal } from "../../shared/signal.ts";
import type { Candidate } from "./candidate.ts";
import { Corpus, type Verdict } from "./corpus.ts";
import { crawlEvents } from "./crawl-events.ts";
import { DocumentIndex, type Place } from "./document-index.ts";
import { corpusTotals } from "./overview.ts";
import { PageLog } from "./page-log.ts";
import { SourceReports } from "./source-report.ts";
import { UsageByDay } from "./usage.ts";

type Row = Record<string, SqlStorageValue>;

/** Rows written before sources had a kind are sites. */
const decodeSource = ({ json }: { json: string }): Source => ({ kind: "site", ...(JSON.parse(json) as Omit<Source, "kind">) });
/** Rows written before conditional requests existed have no `unchanged` counter. */
const decodeCrawl = ({ json }: { json: string }) => crawlSchema.parse({ unchanged: 0, ...(JSON.parse(json) as object) });
const hasBegun = ({ fetched, failed }: Crawl) => fetched + failed > 0;

/** Adds one document to the counters of a crawl. */
function counted(crawl: Crawl, { verdict, bytes }: { verdict: Verdict; bytes: number }): Crawl {
  const next = { ...crawl, fetched: crawl.fetched + 1 };
  switch (verdict) {
    case "stored":
      return { ...next, documents: crawl.documents + 1, bytes: crawl.bytes + bytes };
    case "duplicate":
      return { ...next, duplicates: crawl.duplicates + 1 };
    case "near-duplicate":
    case "removed":
    case "too-large":
      return { ...next, skipped: { ...crawl.skipped, [verdict]: (crawl.skipped[verdict] ?? 0) + 1 } };
    default:
      return verdict satisfies never;
  }
}

export class Catalog extends DurableObject<CollectorEnv> {
  readonly #corpus: Corpus;
  readonly #meter = new Meter();
  readonly #sql: SqlStorage;
  readonly #usage: UsageByDay;
  readonly #index: DocumentIndex;
  readonly #pages: PageLog;
  readonly #reports: SourceReports;
  readonly #changed = new Signal();

  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    const sql = this.#meter.sql(ctx.storage.sql);
    this.#sql = sql;
    this.#corpus = new Corpus(sql, this.#meter.bucket(env.CORPUS));
    this.#usage = new UsageByDay(sql);
    this.#index = new DocumentIndex(sql);
    this.#pages = new PageLog(sql);
    this.#reports = new SourceReports(sql);
    sql.exec("CREATE TABLE IF NOT EXISTS sources (id TEXT PRIMARY KEY, json TEXT NOT NULL)");
    sql.exec(
      "CREATE TABLE IF NOT EXISTS crawls (id TEXT PRIMARY KEY, source TEXT NOT NULL, started_at INTEGER NOT NULL, json TEXT NOT NULL)",
    );
  }

  #rows<T extends Row>(query: string, ...values: SqlStorageValue[]): T[] {
    return this.#sql.exec<T>(query, ...values).toArray();
  }

  async putSource(source: Source): Promise<Source> {
    const known = this.#rows<{ json: string }>("SELECT json FROM sources WHERE id = ?", source.id)[0];
    const kept = known === undefined ? source : { ...source, createdAt: decodeSource(known).createdAt };
    this.#sql.exec("INSERT INTO sources VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json", kept.id, JSON.stringify(kept));
    return kept;
  }

  async sources(): Promise<Source[]> {
    return this.#rows<{ json: string }>("SELECT json FROM sources ORDER BY id").map(decodeSource);
  }

  /** Opens a crawl of a source. If a crawl of the source is running, returns that crawl. */
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
      unchanged: 0,
      documents: 0,
      duplicates: 0,
      bytes: 0,
      skipped: {},
      startedAt: new Date().toISOString(),
      finishedAt: null,
    };
    this.#sql.exec("INSERT INTO crawls VALUES (?, ?, ?, ?)", crawl.id, source, Date.now(), JSON.stringify(crawl));
    return { crawl, begun: false };
  }

  #lastCrawl(source: string): Crawl | null {
    const row = this.#rows<{ json: string }>("SELECT json FROM crawls WHERE source = ? ORDER BY started_at DESC LIMIT 1", source)[0];
    return row === undefined ? null : decodeCrawl(row);
  }

  async isDue(source: Source): Promise<boolean> {
    if (source.kind === "upload") return false;
    const last = this.#lastCrawl(source.id);
    // A running crawl without pages is due too: the call that opened it may have died before it told the Host object. Telling the
    // Host object twice is harmless.
    if (last?.state === "running") return !hasBegun(last);
    return last === null || Date.now() - Date.parse(last.startedAt) >= source.revisitSeconds * 1000;
  }

  async crawl(id: string): Promise<Crawl | null> {
    return this.#crawl(id);
  }

  #crawl(id: string): Crawl | null {
    const row = this.#rows<{ json: string }>("SELECT json FROM crawls WHERE id = ?", id)[0];
    return row === undefined ? null : decodeCrawl(row);
  }

  /** The newest crawls. */
  async newestCrawls(limit: number): Promise<Crawl[]> {
    return this.#rows<{ json: string }>("SELECT json FROM crawls ORDER BY started_at DESC LIMIT ?", limit).map(decodeCrawl);
  }

  /** Changes a crawl. Each call about a page of a crawl does this once. */
  #change(id: string, change: (crawl: Crawl) => Partial<Crawl>): void {
    this.#meter.objectRequest(Date.now());
    const crawl = this.#crawl(id);
    if (crawl === null) return;
    this.#sql.exec("UPDATE crawls SET json = ? WHERE id = ?", JSON.stringify({ ...crawl, ...change(crawl) }), id);
    this.#changed.wake();
  }

  /** A crawl's counters as they change. Null if there is no such crawl. */
  async crawlEvents(id: string): Promise<ReadableStream<Uint8Array> | null> {
    const read = () => this.#crawl(id);
    return read() === null ? null : crawlEvents(read, (ms) => this.#changed.wait(ms));
  }

  /** The last pages of a crawl, newest first. */
  async pages(id: string, query: CrawlPagesQuery): Promise<CrawlPages | null> {
    return this.#crawl(id) === null ? null : this.#pages.of(id, query);
  }

  async documents(query: DocumentsQuery): Promise<Documents> {
    return this.#index.search(query);
  }

  async placeOf(sha256: string): Promise<Place | null> {
    return this.#index.placeOf(sha256);
  }

  /** Ends a page. `usage`: what its host has used since the last page. */
  async setQueued(id: string, queued: number, usage: Usage = {}): Promise<void> {
    this.#change(id, () => ({ queued }));
    this.#meter.add(usage);
    this.#book();
  }

  /** Stores what was used since the last call. */
  #book(): void {
    this.#usage.add(this.#meter.take(), Date.now());
  }

  /** What crawls have used, by day (UTC). */
  async usage(): Promise<{ day: string; usage: Usage }[]> {
    this.#book();
    return this.#usage.all();
  }

  /**
   * Counts pages that are not kept, with the reason. A sitemap is not a page, so only its reason is counted. A page with an address
   * is also listed.
   */
  async skip(
    id: string,
    reason: string,
    as: "fetched" | "failed" | "sitemap" = "fetched",
    { url, count = 1, bytes = 0 }: { url?: string; count?: number; bytes?: number } = {},
  ): Promise<void> {
    if (url !== undefined && as !== "sitemap") this.#pages.add(id, url, as === "failed" ? "failed" : "refused", reason);
    this.#change(id, (crawl) => {
      if (as !== "sitemap") this.#reports.refuse(crawl.source, reason, url ?? "", count, bytes);
      return {
        fetched: crawl.fetched + (as === "fetched" ? count : 0),
        failed: crawl.failed + (as === "failed" ? count : 0),
        skipped: { ...crawl.skipped, [reason]: (crawl.skipped[reason] ?? 0) + count },
      };
    });
  }

  /** Counts a page that has not changed since its source kept it. */
  async countUnchanged(id: string, url: string): Promise<void> {
    this.#pages.add(id, url, "unchanged");
    this.#change(id, ({ fetched, unchanged }) => ({ fetched: fetched + 1, unchanged: unchanged + 1 }));
  }

  /**
   * Adds documents of one source, unless the corpus refuses them. When this returns, they are durable. The counters are written once
   * and the open segment is checked once for all of them.
   */
  async append(crawl: string, source: string, candidates: readonly Candidate[]): Promise<Verdict[]> {
    const added = candidates.map((candidate) => {
      const found = this.#corpus.add(candidate);
      this.#log(crawl, candidate, found.verdict);
      return { candidate, ...found };
    });
    this.#reports.add(source, added);
    this.#change(crawl, (known) => added.reduce(counted, known));
    try {
      if (this.#corpus.isFull(source)) await this.#corpus.flush(source);
    } catch (error) {
      // The documents are durable although no segment was written. The next flush writes the segment.
      log("error", `source ${source}: no segment written: ${(error as Error).message}; tried again at the next flush`);
    }
    return added.map(({ verdict }) => verdict);
  }

  /** Lists a document's page, and the document's title if its text is new. */
  #log(crawl: string, { document }: Candidate, verdict: Verdict): void {
    const { url } = document;
    if (verdict === "stored") {
      this.#index.add(document);
      this.#pages.add(crawl, url, "kept");
    } else if (verdict === "duplicate") this.#pages.add(crawl, url, "duplicate");
    else this.#pages.add(crawl, url, "refused", verdict);
  }

  /** Call this when a page is deleted or reserved. Later snapshots drop the page's text. */
  async withdraw(url: string): Promise<void> {
    this.#corpus.withdraw(url);
  }

  /** Withdraws the texts of a file and its parts (`FILE#n`), except the texts at the `kept` addresses. */
  async withdrawRest(file: string, kept: readonly string[]): Promise<void> {
    const addresses = new Set(kept);
    for (const url of this.#corpus.partsOf(file)) if (!addresses.has(url)) this.#corpus.withdraw(url);
  }

  /** What became of a source's documents. Null if there is no such source. */
  async report(source: string): Promise<SourceReport | null> {
    return this.#rows("SELECT 1 FROM sources WHERE id = ?", source).length === 0 ? null : this.#reports.of(source);
  }

  async totals(): Promise<CorpusTotals> {
    return corpusTotals(this.#sql);
  }

  async finish(id: string): Promise<void> {
    const crawl = await this.crawl(id);
    if (crawl === null || crawl.state === "done") return;
    await this.#corpus.flush(crawl.source);
    this.#change(id, () => ({ state: "done", queued: 0, finishedAt: new Date().toISOString() }));
    this.#book();
  }

  async hasPage(url: string): Promise<boolean> {
    return this.#corpus.hasPage(url);
  }

  /** Removes a URL and its parts (`URL#n`) for good, from the segments in R2. Later crawls do not store them again. */
  async remove(url: string): Promise<{ removed: number }> {
    this.#index.forget(url);
    return this.#corpus.remove(url);
  }

  /** A snapshot of all sources or of some sources. Throws NotFound if the snapshot would be empty. */
  async snapshot(sources: readonly string[] | undefined): Promise<{ hash: Hash; documents: number; bytes: number; segments: number }> {
    const owning = sources === undefined ? (await this.sources()).map(({ id }) => id) : this.#corpus.owningSources(sources);
    for (const source of owning) await this.#corpus.flush(source);
    const snapshot = await this.#corpus.snapshot(sources);
    this.#book();
    return snapshot;
  }
}
