/**
 * Memory that several pieces of work in one isolate share. Each piece reserves the bytes that it needs, and waits until they are
 * free.
 *
 * Cloudflare may end an invocation at any await, and then no `finally` runs. So a reservation expires by the clock unless it is
 * renewed, and each waiting piece checks with its own timer whether there is room.
 */
import { namedError } from "../errors.ts";

const MIB = 1024 * 1024;
/** A reservation expires after this time without a renewal. Work must renew it more often. */
const LAPSE_MS = 60_000;
/** The longest wait for room. */
const MAX_WAIT_MS = 90_000;
/** The time between two checks of waiting work. It is short compared with any piece of work. */
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

  /** Keeps the reservation for another LAPSE_MS. Call this while the work goes on. */
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

  /** The bytes that no work has reserved. */
  get free(): number {
    for (const each of this.#held) if (each.hasLapsed) this.#held.delete(each);
    return [...this.#held].reduce((left, { bytes }) => left - bytes, this.#bytes);
  }

  /**
   * Waits until `bytes` are free, and holds them until the reservation is disposed. Work that needs more than the whole budget
   * waits until all of the budget is free. If an owner reserves again, its earlier work is dead, and the earlier reservation is
   * freed. Throws Busy if the wait is too long.
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
