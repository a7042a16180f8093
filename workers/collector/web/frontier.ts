/**
 * The frontier of one host: which pages and sitemaps its crawls know, and how far each is. Pure state without platform
 * or clock: the Host object decides when to call it and performs what follows.
 *
 * An entry is held (until robots.txt is read), open, sent (its message is on the way), taken (being fetched) or done. At
 * most one entry is sent or taken, so the host gets one request at a time. Every change is saved before it is visible.
 */
import type { SourceKind } from "../../../shared/contracts/sources.ts";
import type { ResourceKind } from "../sources/source.ts";
import { isInScope, normalizeUrl } from "./address.ts";

const MAX_SITEMAPS = 20;
/** Times that an entry is sent before it counts as lost. */
export const MAX_ATTEMPTS = 3;

export type EntryState = "held" | "open" | "sent" | "taken" | "done";

export interface Entry {
  crawl: string;
  url: string;
  kind: ResourceKind;
  state: EntryState;
  /** Order of discovery within the crawl and kind. */
  number: number;
  attempts: number;
}

/** A crawl that is not over. */
export interface ActiveCrawl {
  crawl: string;
  source: string;
  /** The adapter that reads what is fetched. */
  adapter: SourceKind;
  start: string;
  scope: "host" | "path";
  /** The most pages of the crawl. */
  budget: number;
}

/** Where the state is saved. */
export interface FrontierStore {
  load(): { crawls: ActiveCrawl[]; entries: Entry[] };
  putCrawl(crawl: ActiveCrawl): void;
  putEntry(entry: Entry): void;
  deleteCrawl(crawl: string): void;
}

/** Names an entry: a URL may be in the frontier of several crawls. */
export type EntryId = Pick<Entry, "crawl" | "url">;

const isOnItsWay = ({ state }: Entry) => state === "sent" || state === "taken";

/** Sitemaps first, because they name many pages; then in order of discovery. */
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

  /** Opens a crawl whose start page waits for robots.txt. False when the crawl is known. */
  begin(crawl: ActiveCrawl): boolean {
    if (this.#crawls.has(crawl.crawl)) return false;
    this.#store.putCrawl(crawl);
    this.#crawls.set(crawl.crawl, { crawl, entries: new Map() });
    this.#set({ crawl: crawl.crawl, url: crawl.start, kind: "page", state: "held", number: 0, attempts: 0 });
    return true;
  }

  /** Start pages that wait for robots.txt. */
  held(): Entry[] {
    return [...this.#all()].filter(({ state }) => state === "held");
  }

  /** Ends the wait of a start page: it is open now, or done if it may not be fetched. */
  release(id: EntryId, state: "open" | "done"): void {
    const entry = this.#find(id);
    if (entry?.state === "held") this.#set({ ...entry, state });
  }

  /** Adds sitemaps that are new and within the limit; `mayVisit` judges their addresses. */
  addSitemaps(crawl: string, hrefs: readonly string[], mayVisit: (url: URL) => boolean): void {
    this.#add(crawl, "sitemap", MAX_SITEMAPS, hrefs, (href) => {
      const url = new URL(href);
      return mayVisit(url) ? url.href : null;
    });
  }

  /** Adds pages that are new, in scope and within the budget; `mayVisit` judges their addresses. */
  addPages(crawl: string, hrefs: readonly string[], mayVisit: (url: URL) => boolean): void {
    const known = this.crawl(crawl);
    if (known === undefined) return;
    this.#add(crawl, "page", known.budget, hrefs, (href) => {
      const url = normalizeUrl(href);
      return url !== null && isInScope(url, known.start, known.scope) && mayVisit(new URL(url)) ? url : null;
    });
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

  /** The entry to send now, which counts as sent from here on. Null when one is on its way or none is open. */
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

  /** Takes an entry whose message has arrived. Null when it was taken or done before. */
  take(id: EntryId): Entry | null {
    const entry = this.#find(id);
    if (entry?.state !== "sent") return null;
    const taken: Entry = { ...entry, state: "taken" };
    this.#set(taken);
    return taken;
  }

  /** Opens a taken entry again. `attempts` tells whether this visit counts as one of them. */
  postpone(id: EntryId, attempts: number): void {
    const entry = this.#find(id);
    if (entry?.state === "taken") this.#set({ ...entry, state: "open", attempts });
  }

  /** Ends an entry. False when it was done before or is unknown. */
  complete(id: EntryId): boolean {
    const entry = this.#find(id);
    if (entry === undefined || entry.state === "done") return false;
    this.#set({ ...entry, state: "done" });
    return true;
  }

  /** The entry on its way was silent for a lease: it is open again, or returned as lost after its last attempt. */
  expireLease(): Entry[] {
    const silent = [...this.#all()].filter(isOnItsWay);
    for (const entry of silent) this.#set({ ...entry, state: entry.attempts < MAX_ATTEMPTS ? "open" : "done" });
    return silent.filter(({ attempts }) => attempts >= MAX_ATTEMPTS);
  }

  /** Ends all entries that are open, and returns how many pages of each crawl these were. */
  giveUp(): Map<string, number> {
    const pages = new Map<string, number>();
    for (const entry of [...this.#all()].filter(({ state }) => state === "open")) {
      this.#set({ ...entry, state: "done" });
      if (entry.kind === "page") pages.set(entry.crawl, (pages.get(entry.crawl) ?? 0) + 1);
    }
    return pages;
  }

  /** Pages of a crawl that are not done. */
  queued(crawl: string): number {
    const entries = this.#crawls.get(crawl)?.entries.values() ?? [];
    return [...entries].filter(({ kind, state }) => kind === "page" && state !== "done").length;
  }

  /** Crawls whose entries are all done. */
  finished(): string[] {
    return [...this.#crawls].filter(([, { entries }]) => [...entries.values()].every(({ state }) => state === "done")).map(([id]) => id);
  }

  forget(crawl: string): void {
    this.#store.deleteCrawl(crawl);
    this.#crawls.delete(crawl);
  }
}
