/** The objects in the simulated bucket and their ages. Ages are counted in events, because the simulated clock jumps. */

/** A garbage collection keeps objects that are younger than this, in events. */
const GRACE_EVENTS = 20;

export class StoredObjects {
  readonly #writtenAt = new Map<string, number>();

  /** Writing an existing object again makes it young, as putObject in shared/store.ts does. */
  put(name: string, event: number): void {
    this.#writtenAt.set(name, event);
  }

  has(name: string): boolean {
    return this.#writtenAt.has(name);
  }

  /** Deletes old objects whose names are not in `named`. */
  collect(named: ReadonlySet<string>, event: number): void {
    for (const [name, writtenAt] of this.#writtenAt) if (!named.has(name) && writtenAt < event - GRACE_EVENTS) this.#writtenAt.delete(name);
  }
}
