/**
 * One Host object is one web origin: its robots.txt, the frontier of its crawls, and the gate that every request passes.
 * One frontier entry is on its way at any time, as one queue message; a lost message costs one lease.
 */
import { DurableObject } from "cloudflare:workers";
import type { Crawl, Source } from "../../../shared/contracts/sources.ts";
import { ask, fetchPage, type Answer, type Page } from "./fetch-page.ts";
import { isInScope, normalizeUrl } from "../frontier.ts";
import { Gate } from "./gate.ts";
import { retryAfterMs } from "./retry-after.ts";
import { RobotsFile } from "./robots-file.ts";
import { isAllowed, parseRobots, type Robots } from "./robots.ts";
import { refusalOf } from "./url-guard.ts";

/** Until a robots.txt that cannot be read is asked for again. */
const ROBOTS_RETRY_MS = 60_000;
const DEFAULT_DELAY_SECONDS = 1;
/** A host with a longer crawl delay is not crawled. */
const MAX_DELAY_SECONDS = 30;
const MAX_GATE_SECONDS = 24 * 3600;
const MAX_SITEMAPS = 20;
/** An entry that is silent for this long is sent again. */
const LEASE_MS = 60_000;
const MAX_ATTEMPTS = 3;
/** A host that wants to be left alone for longer ends its crawls; the next one asks again. */
const MAX_PATIENCE_MS = 3600 * 1000;

export interface PageMessage {
  origin: string;
  crawl: string;
  url: string;
}

type Kind = "page" | "sitemap";

/** A page or sitemap that was fetched for a crawl. */
export interface Visit {
  kind: Kind;
  source: string;
  page: Page;
  /** robots.txt reserves the site's pages against training. */
  reserved: boolean;
}

interface CrawlRow extends Record<string, SqlStorageValue> {
  crawl: string;
  source: string;
  start: string;
  scope: "host" | "path";
  budget: number;
}

interface EntryRow extends Record<string, SqlStorageValue> {
  crawl: string;
  url: string;
  kind: Kind;
  attempts: number;
}

export class Host extends DurableObject<CollectorEnv> {
  readonly #gate: Gate;
  readonly #robotsFile: RobotsFile;

  constructor(ctx: DurableObjectState, env: CollectorEnv) {
    super(ctx, env);
    this.#gate = new Gate(ctx.storage.kv);
    this.#robotsFile = new RobotsFile(ctx.storage.sql);
    const { sql } = ctx.storage;
    sql.exec(
      "CREATE TABLE IF NOT EXISTS active (crawl TEXT PRIMARY KEY, source TEXT NOT NULL, start TEXT NOT NULL, scope TEXT NOT NULL, budget INTEGER NOT NULL)",
    );
    // States: held (until robots.txt is read), open, sent (its message is on the way), taken (being fetched), done.
    sql.exec(
      "CREATE TABLE IF NOT EXISTS frontier (crawl TEXT NOT NULL, url TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, number INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (crawl, url))",
    );
    sql.exec("CREATE INDEX IF NOT EXISTS frontier_by_state ON frontier (state, kind, number)");
  }

  #rows<T extends Record<string, SqlStorageValue>>(query: string, ...values: SqlStorageValue[]): T[] {
    return this.ctx.storage.sql.exec<T>(query, ...values).toArray();
  }

  get #origin(): string {
    return this.ctx.storage.kv.get<string>("origin")!;
  }

  get #isLocal(): boolean {
    const local: string = this.env.LOCAL_ORIGIN;
    return local !== "" && this.#origin === new URL(local).origin;
  }

  #catalog() {
    return this.env.CATALOG.getByName("catalog");
  }

  /** One request to this host, at its turn. A host that asks to be left alone is left alone. */
  async request(href: string): Promise<Answer> {
    return this.#gate.pass(async () => {
      const answer = await ask(new URL(href), this.env.LOCAL_ORIGIN);
      if (answer.status === 429 || answer.status === 503) this.#gate.hold(retryAfterMs(answer.headers.get("retry-after"), Date.now()));
      return answer;
    });
  }

  /** A redirect may leave for another host, whose own gate it then passes. */
  async #ask(url: URL): Promise<Answer> {
    await this.#renewLease();
    return url.origin === this.#origin ? this.request(url.href) : this.env.HOST.getByName(url.origin).request(url.href);
  }

  /**
   * The rules, read at most a day ago: 4xx but 429 allows all. Null when robots.txt cannot be read (429, 5xx, silence): then
   * nothing else may be asked for either (RFC 9309, section 2.3.1.4), so the gate is held until the next try.
   */
  async #robots(): Promise<Robots | null> {
    const file = this.#robotsFile;
    const known = file.rules;
    if (known !== null) return known;
    if (file.failingSince !== null && this.#gate.isFarOff()) return null;
    try {
      const { status, bytes } = await fetchPage(
        new URL("/robots.txt", this.#origin),
        (url) => this.#ask(url),
        () => null,
      );
      const isThere = status === 200;
      if (!isThere && (status < 400 || status >= 500 || status === 429)) throw new Error(`expected 200 or 4xx but 429, got ${status}`);
      const rules = file.keep(isThere ? bytes : new Uint8Array());
      const least = this.#isLocal ? 0 : DEFAULT_DELAY_SECONDS;
      // A delay beyond a day would keep robots.txt itself from being read again.
      this.#gate.delayMs = Math.min(Math.max(rules.crawlDelaySeconds ?? least, least), MAX_GATE_SECONDS) * 1000;
      // The delay counts from the request that has just told it.
      this.#gate.hold(this.#gate.delayMs);
      return rules;
    } catch (error) {
      // oxlint-disable-next-line no-console -- an operator who wonders why nothing is crawled has only this
      console.warn(`${this.#origin}: robots.txt cannot be read: ${(error as Error).message}`);
      file.noteFailure();
      this.#gate.hold(ROBOTS_RETRY_MS);
      return null;
    }
  }

  /** Begins a crawl, once: the start page and the sitemaps wait for robots.txt. */
  async begin(crawl: Crawl, source: Source): Promise<void> {
    const { kv, sql } = this.ctx.storage;
    const row = [crawl.id, source.id, source.url, source.scope, source.pageBudget];
    if (sql.exec("INSERT OR IGNORE INTO active VALUES (?, ?, ?, ?, ?)", ...row).rowsWritten === 0) return;
    kv.put("origin", new URL(source.url).origin);
    sql.exec("INSERT INTO frontier VALUES (?, ?, 'page', 'held', 0, 0)", crawl.id, source.url);
    // The web is asked in the alarm, so that the caller does not wait for a slow site.
    await this.ctx.storage.setAlarm(Date.now());
  }

  /** Reads robots.txt for the crawls that wait for it. One that cannot be read now ends them: whoever began them shall hear of it at once. */
  async #prepare(held: readonly EntryRow[]): Promise<void> {
    const robots = await this.#robots();
    const named = robots?.sitemaps.filter((href) => URL.canParse(href)) ?? [];
    for (const { crawl, url } of held) {
      let refusal: string | null = null;
      if ((robots?.crawlDelaySeconds ?? 0) > MAX_DELAY_SECONDS) refusal = "crawl-delay";
      else if (robots === null || !isAllowed(robots, new URL(url))) refusal = "robots";
      if (refusal !== null) await this.#catalog().skip(crawl, refusal, "failed");
      if (robots !== null && refusal !== "crawl-delay")
        this.#addSitemaps(crawl, named.length > 0 ? named : [new URL("/sitemap.xml", this.#origin).href], robots);
      const state = refusal === null ? "open" : "done";
      this.ctx.storage.sql.exec("UPDATE frontier SET state = ? WHERE crawl = ? AND state = 'held'", state, crawl);
    }
  }

  #addSitemaps(crawl: string, hrefs: readonly string[], robots: Robots): void {
    const { sql } = this.ctx.storage;
    for (const href of hrefs) {
      const count = sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM frontier WHERE crawl = ? AND kind = 'sitemap'", crawl).one().n;
      const url = new URL(href);
      if (count >= MAX_SITEMAPS) return;
      if (url.origin !== this.#origin || !isAllowed(robots, url)) continue;
      sql.exec("INSERT OR IGNORE INTO frontier VALUES (?, ?, 'sitemap', 'open', ?, 0)", crawl, url.href, count);
    }
  }

  /** Adds pages that are new, in scope, allowed and within the budget. */
  #addPages(crawl: CrawlRow, hrefs: readonly string[], robots: Robots): void {
    const { sql } = this.ctx.storage;
    let count = sql.exec<{ n: number }>("SELECT COUNT(*) AS n FROM frontier WHERE crawl = ? AND kind = 'page'", crawl.crawl).one().n;
    for (const href of hrefs) {
      if (count >= crawl.budget) return;
      const url = normalizeUrl(href);
      if (url === null || !isInScope(url, crawl.start, crawl.scope)) continue;
      if (refusalOf(new URL(url), this.env.LOCAL_ORIGIN) !== null || !isAllowed(robots, new URL(url))) continue;
      const added = sql.exec("INSERT OR IGNORE INTO frontier VALUES (?, ?, 'page', 'open', ?, 0)", crawl.crawl, url, count);
      if (added.rowsWritten > 0) count++;
    }
  }

  /** Sends the next entry if none is on its way; ends crawls that have none left. */
  async #sendNext(): Promise<void> {
    const { sql } = this.ctx.storage;
    const wait = this.#gate.waitMs();
    const failingSince = this.#robotsFile.failingSince ?? Infinity;
    if (wait > MAX_PATIENCE_MS) await this.#giveUp("retry-after");
    else if (Date.now() - failingSince > MAX_PATIENCE_MS) await this.#giveUp("robots");
    for (const { crawl } of this.#rows<{ crawl: string }>(
      "SELECT crawl FROM active WHERE crawl NOT IN (SELECT crawl FROM frontier WHERE state != 'done')",
    )) {
      await this.#catalog().finish(crawl);
      sql.exec("DELETE FROM frontier WHERE crawl = ?", crawl);
      sql.exec("DELETE FROM active WHERE crawl = ?", crawl);
    }
    if (this.#rows("SELECT 1 FROM frontier WHERE state IN ('sent', 'taken') LIMIT 1").length > 0) return;
    const next = this.#rows<EntryRow>(
      "SELECT crawl, url, kind, attempts FROM frontier WHERE state = 'open' ORDER BY kind = 'page', number LIMIT 1",
    )[0];
    if (next === undefined) return;
    sql.exec("UPDATE frontier SET state = 'sent', attempts = attempts + 1 WHERE crawl = ? AND url = ?", next.crawl, next.url);
    const message: PageMessage = { origin: this.#origin, crawl: next.crawl, url: next.url };
    // The queue waits whole seconds, the gate the rest.
    await this.env.CRAWL.send(message, { delaySeconds: Math.floor(wait / 1000) });
    await this.#renewLease();
  }

  /** From its turn on the entry that is on its way has a lease's time, and so again at each redirect. */
  async #renewLease(): Promise<void> {
    // A crawl that began meanwhile has set the alarm for now, and must not wait for a lease.
    if (this.#rows("SELECT 1 FROM frontier WHERE state = 'held' LIMIT 1").length > 0) return;
    await this.ctx.storage.setAlarm(Date.now() + this.#gate.waitMs() + LEASE_MS);
  }

  /** Ends all entries that are still to be fetched. */
  async #giveUp(reason: string): Promise<void> {
    const open = "FROM frontier WHERE state = 'open'";
    const counts = this.#rows<{ crawl: string; n: number }>(`SELECT crawl, COUNT(*) AS n ${open} AND kind = 'page' GROUP BY crawl`);
    this.ctx.storage.sql.exec("UPDATE frontier SET state = 'done' WHERE state = 'open'");
    for (const { crawl, n } of counts) await this.#catalog().skip(crawl, reason, "failed", n);
  }

  /** Fetches what a message names. Null when there is nothing to do: it was finished or taken before, or must wait. */
  async visit(message: PageMessage): Promise<Visit | null> {
    const entry = this.#rows<EntryRow>(
      "UPDATE frontier SET state = 'taken' WHERE crawl = ? AND url = ? AND state = 'sent' RETURNING crawl, url, kind, attempts",
      message.crawl,
      message.url,
    )[0];
    const crawl = this.#crawl(message.crawl);
    if (entry === undefined || crawl === undefined) return null;
    const robots = await this.#robots();
    // Nothing was asked on behalf of this entry, so this was none of its attempts.
    if (robots === null || this.#gate.isFarOff()) return this.#postpone(message, entry.attempts - 1);
    const page = await fetchPage(
      new URL(message.url),
      (url) => this.#ask(url),
      (url) => (url.origin !== this.#origin ? "left-host" : isAllowed(robots, url) ? null : "robots"),
    );
    const isBusy = page.status === 429 || page.status === 503;
    if (isBusy && entry.attempts < MAX_ATTEMPTS) return this.#postpone(message, entry.attempts);
    return { kind: entry.kind, source: crawl.source, page, reserved: robots.reserved };
  }

  async #postpone({ crawl, url }: PageMessage, attempts: number): Promise<null> {
    const { sql } = this.ctx.storage;
    sql.exec("UPDATE frontier SET state = 'open', attempts = ? WHERE crawl = ? AND url = ? AND state = 'taken'", attempts, crawl, url);
    await this.#sendNext();
    return null;
  }

  #crawl(id: string): CrawlRow | undefined {
    return this.#rows<CrawlRow>("SELECT * FROM active WHERE crawl = ?", id)[0];
  }

  /** An entry is over, well or badly: what it names joins the frontier and the next one goes out. */
  async complete(message: PageMessage, found: { pages: readonly string[]; sitemaps: readonly string[] }): Promise<void> {
    const { sql } = this.ctx.storage;
    const done = sql.exec("UPDATE frontier SET state = 'done' WHERE crawl = ? AND url = ? AND state != 'done'", message.crawl, message.url);
    const crawl = this.#crawl(message.crawl);
    if (done.rowsWritten === 0 || crawl === undefined) return;
    // The rules may be old by now, or gone, which is as good as none; each entry meets the newest before it is asked for.
    const robots = this.#robotsFile.lastRules ?? parseRobots("");
    this.#addSitemaps(message.crawl, found.sitemaps, robots);
    this.#addPages(crawl, found.pages, robots);
    const open = sql
      .exec<{ n: number }>("SELECT COUNT(*) AS n FROM frontier WHERE crawl = ? AND state != 'done' AND kind = 'page'", message.crawl)
      .one().n;
    await this.#catalog().setQueued(message.crawl, open);
    await this.#sendNext();
  }

  /** A crawl begins, or a message was lost: its entry is open again, or over if it was lost each time. */
  override async alarm(): Promise<void> {
    try {
      await this.ctx.storage.setAlarm(Date.now() + this.#gate.waitMs() + LEASE_MS);
      const held = this.#rows<EntryRow>("SELECT crawl, url, kind, attempts FROM frontier WHERE state = 'held'");
      if (held.length > 0) await this.#prepare(held);
      else {
        const lost = this.#rows<EntryRow>(
          "UPDATE frontier SET state = CASE WHEN attempts < ? THEN 'open' ELSE 'done' END WHERE state IN ('sent', 'taken') RETURNING crawl, url, kind, attempts",
          MAX_ATTEMPTS,
        );
        for (const { crawl, attempts } of lost) if (attempts >= MAX_ATTEMPTS) await this.#catalog().skip(crawl, "lost", "failed");
      }
      if (this.#rows("SELECT 1 FROM active LIMIT 1").length === 0) await this.ctx.storage.deleteAlarm();
      else await this.#sendNext();
    } catch {
      // Six failed alarms would end the retries of the platform, and the crawl with them.
      await this.ctx.storage.setAlarm(Date.now() + LEASE_MS);
    }
  }
}
