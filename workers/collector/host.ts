/**
 * One Host object is one web origin: robots.txt, the frontier of its crawls, and the right to fetch. At most one page is
 * on its way at any time and none before the crawl delay is over; both follow from sending one queue message at a time.
 */
import { DurableObject } from "cloudflare:workers";
import type { Crawl, Source } from "./catalog.ts";
import { fetchPage } from "./fetch-page.ts";
import { isInScope, normalizeUrl } from "./frontier.ts";
import { ALLOW_ALL, DISALLOW_ALL, isAllowed, parseRobots, type Robots } from "./robots.ts";
import { parseSitemap } from "./sitemap.ts";
import { refusalOf } from "./url-guard.ts";

const ROBOTS_TTL_MS = 24 * 3600 * 1000;
/** A failure is asked about again sooner: a day of silence for one bad moment serves nobody. */
const ROBOTS_FAILURE_TTL_MS = 60_000;
const DEFAULT_DELAY_SECONDS = 1;
const MAX_DELAY_SECONDS = 30;
const MAX_SITEMAPS = 20;
/** A page that is silent for this long is sent again. */
const PAGE_LEASE_MS = 60_000;

export interface PageMessage {
  origin: string;
  crawl: string;
  url: string;
}

interface CrawlRow extends Record<string, SqlStorageValue> {
  crawl: string;
  start: string;
  scope: string;
  budget: number;
}

export class Host extends DurableObject<CollectorEnv> {
  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, json TEXT NOT NULL)");
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS crawls (crawl TEXT PRIMARY KEY, start TEXT NOT NULL, scope TEXT NOT NULL, budget INTEGER NOT NULL)",
    );
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS pages (crawl TEXT NOT NULL, url TEXT NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (crawl, url))",
    );
    ctx.storage.sql.exec("CREATE INDEX IF NOT EXISTS pages_by_state ON pages (state, number)");
  }

  #read<T>(name: string): T | null {
    const row = this.ctx.storage.sql.exec<{ json: string }>("SELECT json FROM kept WHERE name = ?", name).toArray()[0];
    return row === undefined ? null : (JSON.parse(row.json) as T);
  }

  #write(name: string, value: unknown): void {
    this.ctx.storage.sql.exec(
      "INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json",
      name,
      JSON.stringify(value),
    );
  }

  /** robots.txt of this origin, at most a day old. 4xx but 429 allows all; 429, 5xx and silence forbid all (RFC 9309). */
  async robots(origin: string): Promise<Robots> {
    const known = this.#read<{ robots: Robots; at: number; failed: boolean }>("robots");
    if (known !== null && Date.now() - known.at < (known.failed ? ROBOTS_FAILURE_TTL_MS : ROBOTS_TTL_MS)) return known.robots;
    let robots: Robots;
    try {
      const page = await fetchPage(new URL("/robots.txt", origin), this.env.LOCAL_ORIGIN, () => true);
      if (page.status === 200) robots = parseRobots(page.text);
      else robots = page.status >= 400 && page.status < 500 && page.status !== 429 ? ALLOW_ALL : DISALLOW_ALL;
    } catch {
      robots = DISALLOW_ALL;
    }
    this.#write("robots", { robots, at: Date.now(), failed: robots === DISALLOW_ALL });
    return robots;
  }

  /** Begins a crawl: the start page and the pages of the sitemaps. */
  async begin(crawl: Crawl, source: Source): Promise<void> {
    const { origin } = new URL(source.url);
    this.ctx.storage.sql.exec("INSERT OR IGNORE INTO crawls VALUES (?, ?, ?, ?)", crawl.id, source.url, source.scope, source.pageBudget);
    // Held pages keep the crawl from ending while robots.txt is read, and the alarm revives it after a crash.
    this.ctx.storage.sql.exec("INSERT OR IGNORE INTO pages VALUES (?, ?, 'held', 0)", crawl.id, source.url);
    this.#write("origin", origin);
    // The web is asked in the alarm, so that the caller does not wait for a slow site.
    await this.ctx.storage.setAlarm(Date.now());
  }

  /** Reads robots.txt and the sitemaps of a crawl that waits for them. */
  async #prepare(crawl: { id: string }, source: { url: string }): Promise<void> {
    const { origin } = new URL(source.url);
    const robots = await this.robots(origin);
    const delay = robots.crawlDelaySeconds ?? (origin === this.#localOrigin() ? 0 : DEFAULT_DELAY_SECONDS);
    if (delay > MAX_DELAY_SECONDS) {
      await this.#catalog().skip(crawl.id, "crawl-delay", true);
    } else {
      this.#write("delay", Math.max(delay, origin === this.#localOrigin() ? 0 : DEFAULT_DELAY_SECONDS));
      this.#add(crawl.id, await this.#sitemapPages(crawl.id, robots, origin), robots);
    }
    const start = delay <= MAX_DELAY_SECONDS && isAllowed(robots, new URL(source.url)) ? "open" : "done";
    if (start === "done" && delay <= MAX_DELAY_SECONDS) await this.#catalog().skip(crawl.id, "robots", true);
    this.ctx.storage.sql.exec("UPDATE pages SET state = ? WHERE crawl = ? AND state = 'held'", start, crawl.id);
    await this.#sendNext();
  }

  #localOrigin(): string {
    return (this.env.LOCAL_ORIGIN as string) === "" ? "" : new URL(this.env.LOCAL_ORIGIN).origin;
  }

  #catalog() {
    return this.env.CATALOG.getByName("catalog");
  }

  async #sitemapPages(crawl: string, robots: Robots, origin: string): Promise<string[]> {
    const open = robots.sitemaps.filter((href) => URL.canParse(href) && new URL(href).origin === origin);
    const pages: string[] = [];
    for (let index = 0; index < Math.min(open.length, MAX_SITEMAPS); index++) {
      try {
        const page = await fetchPage(
          new URL(open[index]!),
          this.env.LOCAL_ORIGIN,
          (url) => url.origin === origin && isAllowed(robots, url),
        );
        const found = parseSitemap(page.text);
        pages.push(...found.pages);
        open.push(...found.sitemaps.filter((href) => new URL(href).origin === origin));
      } catch (error) {
        // A sitemap is a help only: its failure is counted and the crawl goes on by links.
        await this.#catalog().skip(crawl, `sitemap-${(error as Error).name}`, true);
      }
    }
    return pages;
  }

  /** Adds what is new, in scope, allowed and within the budget. */
  #add(crawl: string, hrefs: readonly string[], robots: Robots): void {
    const row = this.ctx.storage.sql.exec<CrawlRow>("SELECT * FROM crawls WHERE crawl = ?", crawl).toArray()[0];
    if (row === undefined) return;
    let count = this.ctx.storage.sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM pages WHERE crawl = ?", crawl).one().n;
    for (const href of hrefs) {
      if (count >= row.budget) return;
      const url = normalizeUrl(href);
      if (
        url === null ||
        !isInScope(url, row.start, row.scope as "host" | "path") ||
        refusalOf(new URL(url), this.env.LOCAL_ORIGIN) !== null
      )
        continue;
      if (!isAllowed(robots, new URL(url))) continue;
      count += this.ctx.storage.sql.exec("INSERT OR IGNORE INTO pages VALUES (?, ?, 'open', ?)", crawl, url, count).rowsWritten > 0 ? 1 : 0;
    }
  }

  /** Sends the next page if none is on its way; ends crawls that have no page left. */
  async #sendNext(): Promise<void> {
    const { sql } = this.ctx.storage;
    for (const { crawl } of sql
      .exec<{ crawl: string }>("SELECT crawl FROM crawls WHERE crawl NOT IN (SELECT crawl FROM pages WHERE state != 'done')")
      .toArray()) {
      await this.#catalog().finish(crawl);
      sql.exec("DELETE FROM pages WHERE crawl = ?", crawl);
      sql.exec("DELETE FROM crawls WHERE crawl = ?", crawl);
    }
    if (sql.exec("SELECT 1 FROM pages WHERE state = 'sent' LIMIT 1").toArray().length > 0) return;
    const next = sql
      .exec<{ crawl: string; url: string }>("SELECT crawl, url FROM pages WHERE state = 'open' ORDER BY number LIMIT 1")
      .toArray()[0];
    if (next === undefined) return;
    sql.exec("UPDATE pages SET state = 'sent' WHERE crawl = ? AND url = ?", next.crawl, next.url);
    const delaySeconds = this.#read<number>("delay") ?? DEFAULT_DELAY_SECONDS;
    const message: PageMessage = { origin: this.#read<string>("origin")!, crawl: next.crawl, url: next.url };
    await this.env.CRAWL.send(message, { delaySeconds: Math.ceil(delaySeconds) });
    await this.ctx.storage.setAlarm(Date.now() + PAGE_LEASE_MS + delaySeconds * 1000);
  }

  /** Whether a message is still wanted: false for a page that was finished by an earlier delivery. */
  async claim(message: PageMessage): Promise<boolean> {
    return (
      this.ctx.storage.sql.exec("SELECT 1 FROM pages WHERE crawl = ? AND url = ? AND state = 'sent'", message.crawl, message.url).toArray()
        .length > 0
    );
  }

  /** The page is over, well or badly: its links join the frontier and the next page goes out. */
  async complete(message: PageMessage, links: readonly string[]): Promise<void> {
    const { sql } = this.ctx.storage;
    const sent = sql.exec("UPDATE pages SET state = 'done' WHERE crawl = ? AND url = ? AND state = 'sent'", message.crawl, message.url);
    if (sent.rowsWritten === 0) return;
    this.#add(message.crawl, links, await this.robots(message.origin));
    const open = sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM pages WHERE crawl = ? AND state != 'done'", message.crawl).one().n;
    await this.#catalog().setQueued(message.crawl, open);
    await this.#sendNext();
  }

  /** A message was lost: the page is open again. */
  override async alarm(): Promise<void> {
    try {
      const held = this.ctx.storage.sql.exec<{ crawl: string; url: string }>("SELECT crawl, url FROM pages WHERE state = 'held'").toArray();
      if (held.length > 0) {
        await this.ctx.storage.setAlarm(Date.now() + PAGE_LEASE_MS);
        for (const { crawl, url } of held) await this.#prepare({ id: crawl }, { url });
        return;
      }
      this.ctx.storage.sql.exec("UPDATE pages SET state = 'open' WHERE state = 'sent'");
      await this.#sendNext();
    } catch {
      // Six failed alarms would end the retries of the platform, and the crawl with them.
      await this.ctx.storage.setAlarm(Date.now() + PAGE_LEASE_MS);
    }
  }
}
