/** The turn of a run's effects: a reduction, a rollback or a garbage collection, at most one at a time. */
export class EffectTurn {
  readonly #ctx: DurableObjectState;
  #inFlight: Promise<void> | null = null;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  get isTaken(): boolean {
    return this.#inFlight !== null;
  }

  /** Resolves when no effect is in flight. */
  async free(): Promise<void> {
    while (this.#inFlight !== null) await this.#inFlight.catch(() => undefined);
  }

  /** Takes the turn until `work` has ended, so no other effect starts meanwhile. Resolves or rejects as `work` does. */
  take(work: Promise<unknown>): Promise<void> {
    const ended = work
      .then(() => undefined)
      .finally(() => {
        this.#inFlight = null;
      });
    this.#inFlight = ended;
    this.#ctx.waitUntil(ended);
    return ended;
  }
}
