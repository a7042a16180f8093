/** Lets calls wait for an event and wakes all of them at once. */
export class Signal {
  #next = Promise.withResolvers<void>();
  #waiting = 0;

  /** The number of calls that wait now. */
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
