/**
 * The gate of one host: one request at a time, and at least the crawl delay between two requests. Every request passes the
 * gate (robots.txt, sitemaps, pages, each hop of a redirect), so no other code has to wait. The next allowed time is stored
 * before a request goes out. Therefore a crash during a request does not shorten the wait.
 */
import type { Clock } from "./clock.ts";

const DEFAULT_DELAY_MS = 1000;
/** If the wait is longer than this, `pass` returns null at once and the caller tries again later. */
const MAX_TURN_WAIT_MS = 35_000;

export class Gate {
  readonly #kept: SyncKvStorage;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  constructor(kept: SyncKvStorage, clock: Clock) {
    this.#kept = kept;
    this.#clock = clock;
  }

  get delayMs(): number {
    return this.#kept.get<number>("delayMs") ?? DEFAULT_DELAY_MS;
  }

  set delayMs(value: number) {
    this.#kept.put("delayMs", value);
  }

  /** Milliseconds until the next request may go out. */
  waitMs(): number {
    return Math.max(0, (this.#kept.get<number>("nextAt") ?? 0) - this.#clock.now());
  }

  /** True if the next turn is too far off to wait for it in memory. */
  isFarOff(): boolean {
    return this.waitMs() > MAX_TURN_WAIT_MS;
  }

  /** Lets no request out for `ms` from now. An earlier, longer hold stays in force. */
  hold(ms: number): void {
    this.#kept.put("nextAt", this.#clock.now() + Math.max(ms, this.waitMs()));
  }

  /**
   * Waits for the next turn, then runs `work`, which makes one request. If the turn is too far off, returns null and does not run
   * `work`. `endOf` gives the end of a request that goes on after its answer, or null; the next turn begins then.
   */
  pass<T>(work: () => Promise<T>, endOf: (answer: T) => Promise<void> | null = () => null): Promise<T | null> {
    const turn = this.#last.then(async () => {
      if (this.isFarOff()) return null;
      await this.#clock.wait(this.waitMs());
      this.hold(this.delayMs);
      try {
        return await work();
      } finally {
        this.hold(this.delayMs);
      }
    });
    // The caller handles a failure; the next request goes on.
    this.#last = turn.then(
      async (answer) => {
        const end = answer === null ? null : endOf(answer);
        if (end === null) return;
        await end;
        this.hold(this.delayMs);
      },
      () => {},
    );
    return turn;
  }
}
