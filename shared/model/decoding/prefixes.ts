/**
 * Pages of prompts and answers that later requests may begin with: a system message, the conversation so far. Only whole pages
 * are kept. The bits of a page depend on its ids and those before it alone, so an answer is the same with and without reuse.
 */
import type { Page, Pages } from "./pages.ts";

/** The most bytes of pages that are kept for later, beside those of running sequences: a sixteenth of an isolate. */
export const MAX_PREFIX_BYTES = 8 * 1024 * 1024;

export class Prefixes {
  readonly #pages: Pages;
  readonly #perPage: number;
  /** The last page of each beginning, by all of its ids; the one that was not used for the longest time first. */
  readonly #kept = new Map<string, Page>();
  #isDisposed = false;

  constructor(pages: Pages, perPage: number) {
    this.#pages = pages;
    this.#perPage = perPage;
  }

  #keys(ids: readonly number[]): string[] {
    return Array.from({ length: Math.floor(ids.length / this.#perPage) }, (_, index) => ids.slice(0, (index + 1) * this.#perPage).join());
  }

  /** The kept pages of the longest beginning of `ids`. The caller gets a share of each. */
  find(ids: readonly number[]): Page[] {
    const found: Page[] = [];
    for (const key of this.#keys(ids)) {
      const page = this.#kept.get(key);
      if (page === undefined) break;
      found.push(this.#pages.share(page));
    }
    return found;
  }

  /** Keeps the whole pages of a sequence, and drops the oldest pages above MAX_PREFIX_BYTES. */
  keep(ids: readonly number[], pages: readonly Page[]): void {
    if (this.#isDisposed) return;
    const keys = this.#keys(ids);
    // The first page last: a page without the pages before it would be of no use, so they are dropped after it.
    for (const [index, key] of [...keys.entries()].toReversed()) {
      const page = this.#kept.get(key) ?? this.#pages.share(pages[index]!);
      this.#kept.delete(key);
      this.#kept.set(key, page);
    }
    for (const [key, page] of this.#kept) {
      if (this.#kept.size * this.#pages.bytes <= MAX_PREFIX_BYTES) break;
      this.#kept.delete(key);
      this.#pages.release(page);
    }
  }

  /** Drops all pages, and keeps none from now on. */
  dispose(): void {
    this.#isDisposed = true;
    for (const page of this.#kept.values()) this.#pages.release(page);
    this.#kept.clear();
  }
}
