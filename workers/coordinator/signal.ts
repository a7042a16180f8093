/** Wakes all calls that wait for something to happen. */
export class Signal {
  #next = Promise.withResolvers<void>();

  wake(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  /** Resolves at the next `wake`, or after `ms`. */
  async wait(ms: number): Promise<void> {
    await Promise.race([this.#next.promise, scheduler.wait(ms)]);
  }
}
