/** What the simulated bucket holds, and how old it is: counted in events, since the simulated clock jumps. */

/** Objects younger than this are left alone by a collection, in events. */
const GRACE_EVENTS = 20;

export class StoredObjects {
  readonly #writtenAt = new Map<string, number>();

  /** Writing again what is there makes it young (putObject in shared/store.ts). */
  put(name: string, event: number): void {
    this.#writtenAt.set(name, event);
  }

  has(name: string): boolean {
    return this.#writtenAt.has(name);
  }

  /** Deletes what is old and not named. */
  collect(named: ReadonlySet<string>, event: number): void {
    for (const [name, writtenAt] of this.#writtenAt) if (!named.has(name) && writtenAt < event - GRACE_EVENTS) this.#writtenAt.delete(name);
  }
}
