/** Wakes all calls that wait for something to happen. */
export class Signal {
  #next = Promise.withResolvers<void>();
  #waiting = 0;

  /** Calls that wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  wake(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  /** Resolves at the next `wake`, or after `ms`. */
  async wait(ms: number): Promise<void> {
    this.#waiting++;
    try {
      await Promise.race([this.#next.promise, scheduler.wait(ms)]);
    } finally {
      this.#waiting--;
    }
  }
}
