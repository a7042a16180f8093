/**
 * One Host object is one web origin. It connects three parts that do not know each other: the frontier (which page is next),
 * the manners (when and how to ask) and the platform (queue messages, alarms, the catalog).
 *
 * One entry is on its way at any time, as one queue message. If the message is lost, its lease expires and the entry is sent
 * again.
 */
import { DurableObject } from "cloudflare:workers";
import type { Crawl, Source, SourceKind } from "../../../shared/contracts/sources.ts";
import { Meter } from "../../../shared/costs/meter.ts";
import { ADAPTERS } from "../sources/adapters.ts";
import { log } from "../../../shared/log.ts";
import type { FetchFailure, Refusal } from "../refusal.ts";
import type { Quality } from "../../../shared/contracts/sources.ts";
import type { Resource, ResourceKind, Rest } from "../sources/source.ts";
import { SYSTEM_CLOCK, type Clock } from "./clock.ts";
import { fetchPage, type Answer, type Failure } from "./fetch-page.ts";
import { entryUrl, placeOf } from "./address.ts";
import type { StreamRequest } from "./body-stream.ts";
import { Frontier, MAX_ATTEMPTS, type Entry } from "./frontier.ts";
import { createFrontierStore } from "./frontier-store.ts";
import { Manners, MAX_DELAY_SECONDS } from "./manners.ts";
import { reservationOf } from "./reservation.ts";
import { isAllowed, type Robots } from "./robots.ts";
import { Visited, type Validators } from "./visited.ts";

/** An entry without an answer for this long is sent again. */
const LEASE_MS = 60_000;

export interface PageMessage {
  origin: string;
  crawl: string;
  url: string;
}

/** The result of a queue message. */
export type Visit =
  /** The entry was finished or taken before, or it must wait. */
  | { kind: "nothing" }
  | { kind: "refused"; entry: ResourceKind; refusal: Refusal }
  /** The page has not changed since this source kept it. `links` are the remembered links. */
  | { kind: "unchanged"; links: string[] }
  | { kind: "fetched"; source: string; adapter: SourceKind; quality: Quality; resource: Resource };

/** The links that an entry has led to. */
export interface Found {
  pages: readonly string[];
  sitemaps: readonly string[];
  /** Where a step of a large resource has ended. */
  rest?: Rest | null;
  /**
   * The validators with which the next crawl asks whether the page has changed. Null if the next crawl must fetch the page in
   * full.
   */
  validators: Validators | null | "unchanged";
}

export class Host extends DurableObject<CollectorEnv> {
  readonly #frontier: Frontier;
  readonly #manners: Manners;
  readonly #visited: Visited;
  readonly #meter = new Meter();
  readonly #queue: Queue;

  constructor(ctx: DurableObjectState, env: CollectorEnv, clock: Clock = SYSTEM_CLOCK) {
    super(ctx, env);
    const sql = this.#meter.sql(ctx.storage.sql);
    this.#queue = this.#meter.queue(env.CRAWL);
    this.#frontier = new Frontier(createFrontierStore(sql));
    this.#visited = new Visited(sql);
    this.#manners = new Manners(ctx.storage, env.LOCAL_ORIGIN, clock);
  }

  get #origin(): string {
    return this.ctx.storage.kv.get<string>("origin")!;
  }

  #catalog() {
    return this.env.CATALOG.getByName("catalog");
  }

  #wakeIn(ms: number): Promise<void> {
    return this.ctx.storage.setAlarm(Date.now() + ms);
  }

  /** Makes one request to this host, at its turn. */
  async request(href: string): Promise<Answer | Failure> {
    this.#meter.objectRequest(Date.now());
    return this.#manners.request(new URL(href));
  }

  /** Makes a request for this host's frontier. A redirect may lead to another host; then the request passes that host's gate. */
  async #request(
    url: URL,
    conditions: Readonly<Record<string, string>> = {},
    stream: Omit<StreamRequest, "onEnd"> | null = null,
  ): Promise<Answer | Failure> {
    await this.#renewLease();
    return url.origin === this.#origin
      ? this.#manners.request(url, conditions, stream)
      : this.env.HOST.getByName(url.origin).request(url.href);
  }

  /** Asks for a stream. While its chunks arrive, the entry's lease is renewed. */
  #streamFrom(byte: number): Omit<StreamRequest, "onEnd"> {
    let renewedAt = Date.now();
    const onChunk = () => {
      if (Date.now() - renewedAt < LEASE_MS / 3) return;
      renewedAt = Date.now();
      this.ctx.waitUntil(this.#renewLease());
    };
    return { from: byte, onChunk };
  }

  #robots() {
    return this.#manners.robots(this.#origin, (url) => this.#request(url));
  }

  /** Begins a crawl; a second call does nothing. The start page and the sitemaps wait for robots.txt. */
  async begin(crawl: Crawl, source: Source): Promise<void> {
    const begun = this.#frontier.begin({
      crawl: crawl.id,
      source: source.id,
      adapter: source.kind,
      quality: source.quality ?? ADAPTERS[source.kind].quality,
      start: source.url,
      scope: ADAPTERS[source.kind].followsWholeHost ? "host" : source.scope,
      budget: source.pageBudget,
    });
    if (!begun) return;
    this.ctx.storage.kv.put("origin", new URL(source.url).origin);
    // The alarm makes the web request, so the caller does not wait for a slow site.
    await this.#wakeIn(0);
  }

  /**
   * Reads robots.txt for the start pages that wait for it. If robots.txt cannot be read, their crawls end at once, with a
   * reason for the operator.
   */
  async #release(held: readonly Entry[]): Promise<void> {
    const robots = await this.#robots();
    const named = robots?.sitemaps.filter((href) => URL.canParse(href)) ?? [];
    const sitemaps = named.length > 0 ? named : [new URL("/sitemap.xml", this.#origin).href];
    const isTooSlow = (robots?.crawlDelaySeconds ?? 0) > MAX_DELAY_SECONDS;
    for (const entry of held) {
      const refusal = isTooSlow ? "crawl-delay" : robots === null || !isAllowed(robots, new URL(entry.url)) ? "robots" : null;
      if (refusal !== null) await this.#catalog().skip(entry.crawl, refusal, "failed", { url: entry.url });
      const crawl = this.#frontier.crawl(entry.crawl);
      if (robots !== null && !isTooSlow && crawl !== undefined && ADAPTERS[crawl.adapter].usesSitemaps)
        this.#addSitemaps(entry.crawl, sitemaps);
      this.#frontier.release(entry, refusal === null ? "open" : "done");
    }
  }

  #addSitemaps(crawl: string, hrefs: readonly string[]): void {
    this.#frontier.addSitemaps(crawl, hrefs, (url) => url.origin === this.#origin && this.#manners.mayVisit(url));
  }

  /** Sends the next entry if no entry is on its way. Ends crawls that have no entries left. */
  async #sendNext(): Promise<void> {
    const reason = this.#manners.impatience;
    if (reason !== null)
      for (const [crawl, pages] of this.#frontier.giveUp()) await this.#catalog().skip(crawl, reason, "failed", { count: pages });
    for (const crawl of this.#frontier.finished()) {
      await this.#catalog().finish(crawl);
      this.#frontier.forget(crawl);
    }
    const next = this.#frontier.next();
    if (next === null) return;
    const message: PageMessage = { origin: this.#origin, crawl: next.crawl, url: next.url };
    // The queue waits for the whole seconds, the gate for the rest.
    await this.#queue.send(message, { delaySeconds: Math.floor(this.#manners.waitMs / 1000) });
    await this.#renewLease();
  }

  /** Renews the lease of the entry on its way, at its turn and at each redirect. */
  async #renewLease(): Promise<void> {
    // A new crawl has set the alarm for now. A lease must not replace that alarm by a later one.
    if (this.#frontier.held().length === 0) await this.#wakeIn(this.#manners.waitMs + LEASE_MS);
  }

  /** Fetches the resource that a message names. */
  async visit(message: PageMessage): Promise<Visit> {
    this.#meter.objectRequest(Date.now());
    const entry = this.#frontier.take(message);
    const crawl = this.#frontier.crawl(message.crawl);
    if (entry === null || crawl === undefined) return { kind: "nothing" };
    const robots = await this.#robots();
    // No request was made for this entry, so this visit does not count as an attempt.
    if (robots === null || this.#manners.isFarOff) return this.#postpone(message, entry.attempts - 1);
    const { url: start, rest } = placeOf(message.url);
    // A page that robots.txt reserves is fetched in full, because only a full answer withdraws its text.
    const isConditional = entry.kind === "page" && rest === null && !robots.reserved;
    const conditions = isConditional ? this.#visited.conditions(crawl.source, start) : {};
    const stream = entry.kind === "page" && ADAPTERS[crawl.adapter].streams ? this.#streamFrom(rest?.byte ?? 0) : null;
    const page = await fetchPage(
      new URL(start),
      (url) => this.#request(url, url.href === start ? conditions : {}, stream),
      (url) => this.#refusalOf(url, robots),
    );
    if (page.kind === "failure") {
      log("warn", `${message.url}: ${page.cause}: ${page.detail}`, { crawl: message.crawl });
      return { kind: "refused", entry: entry.kind, refusal: { kind: "failure", cause: page.cause } };
    }
    const isBusy = page.status === 429 || page.status === 503;
    if (isBusy && entry.attempts < MAX_ATTEMPTS) return this.#postpone(message, entry.attempts);
    const { url, status, headers, bytes, body, truncated } = page;
    if (status === 304 && Object.keys(conditions).length > 0) {
      const by = reservationOf(headers);
      if (by !== null) return { kind: "refused", entry: entry.kind, refusal: { kind: "reserved", by } };
      return { kind: "unchanged", links: this.#visited.links(crawl.source, message.url) };
    }
    const resource: Resource = { kind: entry.kind, url, status, headers, bytes, body, rest, truncated, reserved: robots.reserved };
    return { kind: "fetched", source: crawl.source, adapter: crawl.adapter, quality: crawl.quality, resource };
  }

  /** Fetches a further resource for the entry that is being read. Null if it may not be had. */
  async fetchMore(message: PageMessage, href: string): Promise<Resource | null> {
    this.#meter.objectRequest(Date.now());
    const robots = await this.#robots();
    if (!this.#frontier.isTaken(message) || robots === null || !URL.canParse(href)) return null;
    const page = await fetchPage(
      new URL(href),
      (url) => this.#request(url),
      (url) => this.#refusalOf(url, robots),
    );
    return page.kind === "failure" ? null : { ...page, kind: "page", rest: null, reserved: robots.reserved };
  }

  /** Why a URL must not be requested for this host's frontier. Null if it may. */
  #refusalOf(url: URL, robots: Robots): FetchFailure | null {
    if (url.origin !== this.#origin) return "left-host";
    return isAllowed(robots, url) ? null : "robots";
  }

  async #postpone(message: PageMessage, attempts: number): Promise<Visit> {
    this.#frontier.postpone(message, attempts);
    await this.#sendNext();
    return { kind: "nothing" };
  }

  /** Ends an entry, successful or not: its links join the frontier, and the next entry is sent. `cpuMilliseconds`: of its reading. */
  async complete(message: PageMessage, found: Found, cpuMilliseconds = 0): Promise<void> {
    this.#meter.objectRequest(Date.now());
    this.#meter.add({ cpuMilliseconds });
    const crawl = this.#frontier.crawl(message.crawl);
    if (!this.#frontier.complete(message) || crawl === undefined) return;
    if (found.validators === null) this.#visited.forget(message.url);
    else if (found.validators !== "unchanged") this.#visited.keep(crawl.source, message.url, found.validators, found.pages);
    this.#addSitemaps(message.crawl, found.sitemaps);
    if (found.rest) this.#frontier.addRest(message.crawl, entryUrl(placeOf(message.url).url, found.rest));
    this.#frontier.addPages(message.crawl, found.pages, (url) => this.#manners.mayVisit(url));
    await this.#catalog().setQueued(message.crawl, this.#frontier.queued(message.crawl), this.#meter.take());
    await this.#sendNext();
  }

  /** Rings when a crawl begins, or when the entry on its way has been silent for a lease. */
  override async alarm(): Promise<void> {
    this.#meter.objectRequest(Date.now());
    try {
      await this.#wakeIn(this.#manners.waitMs + LEASE_MS);
      const held = this.#frontier.held();
      if (held.length > 0) await this.#release(held);
      else for (const { crawl, url } of this.#frontier.expireLease()) await this.#catalog().skip(crawl, "lost", "failed", { url });
      if (this.#frontier.isEmpty) await this.ctx.storage.deleteAlarm();
      else await this.#sendNext();
    } catch (error) {
      log("error", `${this.#origin}: ${(error as Error).message}; tried again in a minute`);
      // The platform gives up after six failed alarms, and the crawl would stop. So the alarm is set again.
      await this.#wakeIn(LEASE_MS);
    }
  }
}
