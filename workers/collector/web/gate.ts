/**
 * The right to ask one host: one request at a time, and none before the crawl delay since the last one is over. Every
 * request to the host passes here (robots.txt, sitemaps, pages, each hop of a redirect), so nothing else keeps the manners.
 * The next allowed time is stored before a request goes out; a crash in the middle of one does not shorten the wait.
 */
const DEFAULT_DELAY_MS = 1000;
/** A longer wait is not slept through in memory: the caller comes again. */
const MAX_TURN_WAIT_MS = 35_000;

export class Gate {
  readonly #kept: SyncKvStorage;
  #last: Promise<unknown> = Promise.resolve();

  constructor(kept: SyncKvStorage) {
    this.#kept = kept;
  }

  get delayMs(): number {
    return this.#kept.get<number>("delayMs") ?? DEFAULT_DELAY_MS;
  }

  set delayMs(value: number) {
    this.#kept.put("delayMs", value);
  }

  /** Milliseconds until the next request may go out. */
  waitMs(): number {
    return Math.max(0, (this.#kept.get<number>("nextAt") ?? 0) - Date.now());
  }

  /** Whether the next turn is too far off to be waited for in memory. */
  isFarOff(): boolean {
    return this.waitMs() > MAX_TURN_WAIT_MS;
  }

  /** Lets no request out for `ms` from now; an earlier order to wait longer stays. */
  hold(ms: number): void {
    this.#kept.put("nextAt", Date.now() + Math.max(ms, this.waitMs()));
  }

  /** Does `work`, which makes one request, when its turn has come. Throws `closed` when that is too far off. */
  pass<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      if (this.isFarOff()) throw new Error(`closed: expected a wait of at most ${MAX_TURN_WAIT_MS} ms, got ${this.waitMs()}`);
      await scheduler.wait(this.waitMs());
      this.hold(this.delayMs);
      try {
        return await work();
      } finally {
        this.hold(this.delayMs);
      }
    });
    // A failure belongs to its caller; the next in line goes on.
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
