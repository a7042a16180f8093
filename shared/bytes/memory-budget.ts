/**
 * Memory that pieces of work in one isolate share. Each reserves what it needs and waits until that much is free.
 *
 * Cloudflare may end an invocation at any await, and then no `finally` runs. So a reservation lapses by the clock unless it is
 * renewed, and work that waits looks by its own timer whether there is room.
 */
import { namedError } from "../errors.ts";

const MIB = 1024 * 1024;
/** The longest that work is expected to go on between two renewals. */
const LAPSE_MS = 60_000;
/** The longest wait for room. */
const MAX_WAIT_MS = 90_000;
/** How often waiting work looks for room: small beside any piece of work. */
const POLL_MS = 20;

export class Reservation {
  readonly bytes: number;
  readonly owner: string | null;
  readonly #free: (reservation: Reservation) => void;
  #until = 0;

  constructor(bytes: number, owner: string | null, free: (reservation: Reservation) => void) {
    this.bytes = bytes;
    this.owner = owner;
    this.#free = free;
    this.renew();
  }

  get hasLapsed(): boolean {
    return Date.now() >= this.#until;
  }

  /** Keeps the memory for another while: the work goes on. */
  renew(): void {
    this.#until = Date.now() + LAPSE_MS;
  }

  [Symbol.dispose](): void {
    this.#free(this);
  }
}

export class MemoryBudget {
  readonly #bytes: number;
  readonly #held = new Set<Reservation>();

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Bytes that no work holds. */
  get free(): number {
    for (const each of this.#held) if (each.hasLapsed) this.#held.delete(each);
    return [...this.#held].reduce((left, { bytes }) => left - bytes, this.#bytes);
  }

  /**
   * Waits until `bytes` are free and holds them until the reservation is disposed. Work that needs more than the budget waits
   * until it has all of it. An owner that reserves again has lost its earlier work. Throws Busy if the wait is too long.
   */
  async reserve(what: string, bytes: number, owner: string | null = null): Promise<Reservation> {
    const needed = Math.min(bytes, this.#bytes);
    const deadline = Date.now() + MAX_WAIT_MS;
    for (const each of this.#held) if (owner !== null && each.owner === owner) this.#held.delete(each);
    while (this.free < needed) {
      if (Date.now() >= deadline) {
        const [wanted, free, all] = [needed, this.free, this.#bytes].map((size) => (size / MIB).toFixed(1));
        throw namedError(
          "Busy",
          `memory: ${what} expected ${wanted} MiB to become free within ${MAX_WAIT_MS / 1000} s, got ${free} of ${all}; try again later`,
        );
      }
      await new Promise<void>((resolve) => {
        setTimeout(resolve, POLL_MS);
      });
    }
    const reservation = new Reservation(needed, owner, (each) => this.#held.delete(each));
    this.#held.add(reservation);
    return reservation;
  }
}
