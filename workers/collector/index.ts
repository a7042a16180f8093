/**
 * Collector: web sites in, documents out. Cron and operators start crawls. Each page is one queue message. A Host object per
 * origin decides which page is fetched and when. The one Catalog object stores sources, crawls and documents. README.md
 * describes the journey of a page.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { snapshotSchema, type Document, type Hash } from "../../shared/artifacts.ts";
import type { CorpusExportQuery, CrawlPages, CrawlPagesQuery, Documents, DocumentsQuery } from "../../shared/contracts/documents.ts";
import type { CorpusTotals } from "../../shared/contracts/overview.ts";
import type { Crawl, CrawlRequest, Removal, Source, SourceReport, SourceRequest } from "../../shared/contracts/sources.ts";
import type { UploadRequest } from "../../shared/contracts/uploads.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { log } from "../../shared/log.ts";
import { getJson, sha256 } from "../../shared/store.ts";
import { crawlPage } from "./crawl-page.ts";
import { exportCorpus } from "./export-corpus.ts";
import { normalizeUrl } from "./web/address.ts";
import type { PageMessage } from "./web/host.ts";
import { refusalOf } from "../../shared/url-guard.ts";
import { readDocument } from "./read-document.ts";
import { uploadFile } from "./upload-file.ts";
import { namedError } from "../../shared/errors.ts";

export { Catalog } from "./catalog.ts";
export { Host } from "./web/host.ts";

const CRAWLS_LISTED = 20;

export default class Collector extends WorkerEntrypoint<CollectorEnv> {
  get #catalog() {
    return this.env.CATALOG.getByName("catalog");
  }

  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** Registers a source, or changes the settings of a registered source. Throws InvalidInput if the address may not be fetched. */
  async addSource(input: SourceRequest, request?: string): Promise<Source> {
    const url = normalizeUrl(input.url);
    const refusal = url === null ? "expected a web address" : refusalOf(new URL(url), this.env.LOCAL_ORIGIN);
    if (url === null || refusal !== null) throw namedError("InvalidInput", `url: ${refusal}`);
    const kind = input.kind === undefined || input.kind === "site" ? "" : `${input.kind} `;
    const id = (await sha256(new TextEncoder().encode(`${kind}${input.scope} ${url}`))).slice(0, 16);
    log("info", `source ${id}: registered`, { request });
    return this.#catalog.putSource({ ...input, url, id, createdAt: new Date().toISOString() });
  }

  /** Stores the documents of a file. A second upload of the file replaces its documents. */
  async upload(upload: UploadRequest, bytes: Uint8Array<ArrayBuffer>, request?: string): Promise<Crawl> {
    const crawl = await uploadFile(this.env, upload, bytes);
    log("info", `${upload.collection}/${upload.file}: uploaded`, { request, crawl: crawl.id });
    return crawl;
  }

  /** What became of a source's documents. Null if there is no such source. */
  async sourceReport(id: string): Promise<SourceReport | null> {
    return this.#catalog.report(id);
  }

  async listSources(): Promise<Source[]> {
    return this.#catalog.sources();
  }

  /**
   * Crawls one source now, or all sources that are due. If a crawl of a source is running, returns that crawl. A source that
   * fails does not stop the others; its error is thrown at the end.
   */
  async startCrawls(input: CrawlRequest, request?: string): Promise<Crawl[]> {
    const all = await this.#catalog.sources();
    const chosen = input.source === undefined ? [] : all.filter(({ id }) => id === input.source);
    if (input.source !== undefined && chosen.length === 0)
      throw namedError("NotFound", `source: expected a registered id, got ${input.source}`);
    if (chosen[0]?.kind === "upload") throw namedError("InvalidInput", "source: expected a source on the web, got an upload");
    if (input.source === undefined) for (const source of all) if (await this.#catalog.isDue(source)) chosen.push(source);
    const crawls: Crawl[] = [];
    const failures: string[] = [];
    for (const source of chosen) {
      try {
        const { crawl, begun } = await this.#catalog.openCrawl(source.id);
        if (!begun) await this.env.HOST.getByName(new URL(source.url).origin).begin(crawl, source);
        log("info", `source ${source.id}: ${begun ? "its crawl goes on" : "a crawl begins"}`, { request, crawl: crawl.id });
        crawls.push(crawl);
      } catch (error) {
        failures.push(`source ${source.id}: ${(error as Error).message}`);
      }
    }
    if (failures.length > 0) throw new Error(`crawls: expected all to begin, got ${failures.join("; ")} (cron retries them)`);
    return crawls;
  }

  /** The newest crawls of all sources. */
  async listCrawls(): Promise<Crawl[]> {
    return this.#catalog.newestCrawls(CRAWLS_LISTED);
  }

  /** The corpus in numbers, for the overview. */
  async totals(): Promise<CorpusTotals> {
    return this.#catalog.totals();
  }

  async getCrawl(id: string): Promise<Crawl | null> {
    return this.#catalog.crawl(id);
  }

  /** The last pages of a crawl and what became of each. Null if there is no such crawl. */
  async listPages(id: string, query: CrawlPagesQuery): Promise<CrawlPages | null> {
    return this.#catalog.pages(id, query);
  }

  /** A crawl's counters as server-sent events. Throws NotFound. */
  async crawlEvents(id: string): Promise<ReadableStream<Uint8Array>> {
    const events = await this.#catalog.crawlEvents(id);
    if (events === null) throw namedError("NotFound", `crawl: expected the id of a crawl, got ${id}`);
    return events;
  }

  async listDocuments(query: DocumentsQuery): Promise<Documents> {
    return this.#catalog.documents(query);
  }

  /** A document as it is stored. Null if its text is not in the corpus. */
  async getDocument(text: Hash): Promise<Document | null> {
    const place = await this.#catalog.placeOf(text);
    return place === null ? null : readDocument(this.env.CORPUS, text, place);
  }

  /** Removes a page for good: its segments are rewritten, and later crawls skip the page. */
  async removeUrl(url: string, request?: string): Promise<Removal> {
    // Earlier versions stored a redirected page under the address before the redirect. So both the normalized address and the
    // address as given are removed.
    let removed = 0;
    const isPart = url.includes("#") && (await this.#catalog.hasPage(url));
    for (const address of new Set(isPart ? [url] : [normalizeUrl(url) ?? url, url]))
      removed += (await this.#catalog.remove(address)).removed;
    log("info", `${url}: removed for good`, { request });
    return { removed };
  }

  /** What crawls have used, by day (UTC). */
  async usage(): Promise<{ day: string; usage: Usage }[]> {
    return this.#catalog.usage();
  }

  async snapshot(input: { sources?: string[] }): Promise<{ hash: Hash; documents: number; bytes: number; segments: number }> {
    return this.#catalog.snapshot(input.sources);
  }

  /** The corpus as one file: JSON Lines or WARC, with gzip. Throws NotFound if there is no document. */
  async exportCorpus({ format, source }: CorpusExportQuery): Promise<ReadableStream<Uint8Array>> {
    const { hash } = await this.#catalog.snapshot(source === undefined ? undefined : [source]);
    return exportCorpus(this.env.CORPUS, await getJson(this.env.CORPUS, "snapshot", hash, snapshotSchema), format);
  }

  override async scheduled(): Promise<void> {
    await this.startCrawls({});
  }

  override async queue(batch: MessageBatch<PageMessage>): Promise<void> {
    for (const message of batch.messages) await crawlPage(this.env, message.body);
  }
}
