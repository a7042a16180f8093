/** The objects in the simulated bucket and their ages, counted in events because the simulated clock jumps. */

/** A garbage collection spares objects younger than this, in events. */
const GRACE_EVENTS = 20;

export class StoredObjects {
  readonly #writtenAt = new Map<string, number>();

  /** Writing an existing object again makes it young (putObject in shared/store.ts). */
  put(name: string, event: number): void {
    this.#writtenAt.set(name, event);
  }

  has(name: string): boolean {
    return this.#writtenAt.has(name);
  }

  /** Deletes old objects that are not named. */
  collect(named: ReadonlySet<string>, event: number): void {
    for (const [name, writtenAt] of this.#writtenAt) if (!named.has(name) && writtenAt < event - GRACE_EVENTS) this.#writtenAt.delete(name);
  }
}
