/**
 * The frontier of one host: the pages and sitemaps that its crawls know, each with a state. The frontier has no platform and
 * no clock. The Host object decides when to call it, and sends and fetches the entries.
 *
 * An entry is held (waits for robots.txt), open, sent (its message is in the queue), taken (being fetched) or done. At most
 * one entry is sent or taken, so the host gets one request at a time. Every change is saved before it is visible.
 */
import type { Quality, SourceKind } from "../../../shared/contracts/sources.ts";
import type { ResourceKind } from "../sources/source.ts";
import { isInScope, normalizeUrl } from "./address.ts";

const MAX_SITEMAPS = 20;
/** An entry that was sent this many times and never completed counts as lost. */
export const MAX_ATTEMPTS = 3;

export type EntryState = "held" | "open" | "sent" | "taken" | "done";

export interface Entry {
  crawl: string;
  url: string;
  kind: ResourceKind;
  state: EntryState;
  /** The entry's number in the order of discovery, within its crawl and its kind. */
  number: number;
  attempts: number;
}

/** A crawl that has not ended. */
export interface ActiveCrawl {
  crawl: string;
  source: string;
  /** The adapter that reads the fetched resources. */
  adapter: SourceKind;
  /** The quality that documents need. */
  quality: Quality;
  start: string;
  scope: "host" | "path";
  /** The largest number of pages in the crawl. */
  budget: number;
}

/** Storage for the frontier. */
export interface FrontierStore {
  load(): { crawls: ActiveCrawl[]; entries: Entry[] };
  putCrawl(crawl: ActiveCrawl): void;
  putEntry(entry: Entry): void;
  deleteCrawl(crawl: string): void;
}

/** Identifies an entry. The crawl is part of the id, because several crawls may have the same URL. */
export type EntryId = Pick<Entry, "crawl" | "url">;

const isOnItsWay = ({ state }: Entry) => state === "sent" || state === "taken";

/** Sitemaps come first, because they name many pages. Within a kind, the order of discovery counts. */
const isBefore = (a: Entry, b: Entry) => (a.kind === b.kind ? a.number < b.number : a.kind === "sitemap");

export class Frontier {
  readonly #store: FrontierStore;
  readonly #crawls = new Map<string, { crawl: ActiveCrawl; entries: Map<string, Entry> }>();

  constructor(store: FrontierStore) {
    this.#store = store;
    const { crawls, entries } = store.load();
    for (const crawl of crawls) this.#crawls.set(crawl.crawl, { crawl, entries: new Map() });
    for (const entry of entries) this.#crawls.get(entry.crawl)?.entries.set(entry.url, entry);
  }

  #set(entry: Entry): void {
    this.#store.putEntry(entry);
    this.#crawls.get(entry.crawl)!.entries.set(entry.url, entry);
  }

  *#all(): Generator<Entry> {
    for (const { entries } of this.#crawls.values()) yield* entries.values();
  }

  #find({ crawl, url }: EntryId): Entry | undefined {
    return this.#crawls.get(crawl)?.entries.get(url);
  }

  get isEmpty(): boolean {
    return this.#crawls.size === 0;
  }

  crawl(id: string): ActiveCrawl | undefined {
    return this.#crawls.get(id)?.crawl;
  }

  /** Opens a crawl; its start page waits for robots.txt. Returns false if the crawl is known. */
  begin(crawl: ActiveCrawl): boolean {
    if (this.#crawls.has(crawl.crawl)) return false;
    this.#store.putCrawl(crawl);
    this.#crawls.set(crawl.crawl, { crawl, entries: new Map() });
    this.#set({ crawl: crawl.crawl, url: crawl.start, kind: "page", state: "held", number: 0, attempts: 0 });
    return true;
  }

  /** The start pages that wait for robots.txt. */
  held(): Entry[] {
    return [...this.#all()].filter(({ state }) => state === "held");
  }

  /** Ends the wait of a start page: `open` if it may be fetched, else `done`. */
  release(id: EntryId, state: "open" | "done"): void {
    const entry = this.#find(id);
    if (entry?.state === "held") this.#set({ ...entry, state });
  }

  /** Adds new sitemaps up to the limit. `mayVisit` judges their addresses. */
  addSitemaps(crawl: string, hrefs: readonly string[], mayVisit: (url: URL) => boolean): void {
    this.#add(crawl, "sitemap", MAX_SITEMAPS, hrefs, (href) => {
      const url = new URL(href);
      return mayVisit(url) ? url.href : null;
    });
  }

  /** Adds new pages that are in scope, up to the budget. `mayVisit` judges their addresses. */
  addPages(crawl: string, hrefs: readonly string[], mayVisit: (url: URL) => boolean): void {
    const known = this.crawl(crawl);
    if (known === undefined) return;
    this.#add(crawl, "page", known.budget, hrefs, (href) => {
      const url = normalizeUrl(href);
      return url !== null && isInScope(url, known.start, known.scope) && mayVisit(new URL(url)) ? url : null;
    });
  }

  /** Adds the next step of a large resource, within the budget. */
  addRest(crawl: string, entry: string): void {
    this.#add(crawl, "page", this.crawl(crawl)?.budget ?? 0, [entry], (href) => href);
  }

  #add(crawl: string, kind: ResourceKind, limit: number, hrefs: readonly string[], accept: (href: string) => string | null): void {
    const entries = this.#crawls.get(crawl)?.entries;
    if (entries === undefined) return;
    let count = [...entries.values()].filter((entry) => entry.kind === kind).length;
    for (const href of hrefs) {
      if (count >= limit) return;
      const url = accept(href);
      if (url !== null && !entries.has(url)) this.#set({ crawl, url, kind, state: "open", number: count++, attempts: 0 });
    }
  }

  /** Marks the next open entry as sent and returns it. Null if an entry is already on its way or no entry is open. */
  next(): Entry | null {
    let first: Entry | null = null;
    for (const entry of this.#all()) {
      if (isOnItsWay(entry)) return null;
      if (entry.state === "open" && (first === null || isBefore(entry, first))) first = entry;
    }
    if (first === null) return null;
    const sent: Entry = { ...first, state: "sent", attempts: first.attempts + 1 };
    this.#set(sent);
    return sent;
  }

  /** Marks an entry as taken when its message arrives. Null if the entry was taken or done before. */
  take(id: EntryId): Entry | null {
    const entry = this.#find(id);
    if (entry?.state !== "sent") return null;
    const taken: Entry = { ...entry, state: "taken" };
    this.#set(taken);
    return taken;
  }

  /** True while an entry is being read. */
  isTaken(id: EntryId): boolean {
    return this.#find(id)?.state === "taken";
  }

  /** Opens a taken entry again. `attempts` is its new number of attempts: the caller subtracts one if this visit does not count. */
  postpone(id: EntryId, attempts: number): void {
    const entry = this.#find(id);
    if (entry?.state === "taken") this.#set({ ...entry, state: "open", attempts });
  }

  /** Ends an entry. Returns false if the entry was done before or is unknown. */
  complete(id: EntryId): boolean {
    const entry = this.#find(id);
    if (entry === undefined || entry.state === "done") return false;
    this.#set({ ...entry, state: "done" });
    return true;
  }

  /** Ends the lease of the entry on its way. The entry is open again; after its last attempt it is returned as lost. */
  expireLease(): Entry[] {
    const silent = [...this.#all()].filter(isOnItsWay);
    for (const entry of silent) this.#set({ ...entry, state: entry.attempts < MAX_ATTEMPTS ? "open" : "done" });
    return silent.filter(({ attempts }) => attempts >= MAX_ATTEMPTS);
  }

  /** Ends all open entries. For each crawl, returns how many of these entries were pages. */
  giveUp(): Map<string, number> {
    const pages = new Map<string, number>();
    for (const entry of [...this.#all()].filter(({ state }) => state === "open")) {
      this.#set({ ...entry, state: "done" });
      if (entry.kind === "page") pages.set(entry.crawl, (pages.get(entry.crawl) ?? 0) + 1);
    }
    return pages;
  }

  /** The number of pages of a crawl that are not done. */
  queued(crawl: string): number {
    const entries = this.#crawls.get(crawl)?.entries.values() ?? [];
    return [...entries].filter(({ kind, state }) => kind === "page" && state !== "done").length;
  }

  /** The crawls whose entries are all done. */
  finished(): string[] {
    return [...this.#crawls].filter(([, { entries }]) => [...entries.values()].every(({ state }) => state === "done")).map(([id]) => id);
  }

  forget(crawl: string): void {
    this.#store.deleteCrawl(crawl);
    this.#crawls.delete(crawl);
  }
}
