/** A cache of the most recently used objects, by name, up to a size. A trainer soon reads the objects that it has just written. */
export class RecentBytes {
  readonly #kept = new Map<string, Uint8Array<ArrayBuffer>>();
  #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(name: string): Uint8Array<ArrayBuffer> | undefined {
    const known = this.#kept.get(name);
    if (known === undefined) return undefined;
    // A Map iterates in order of insertion, so inserting an object again makes it the most recent.
    this.#kept.delete(name);
    this.#kept.set(name, known);
    return known;
  }

  /** Adds an object unless it alone exceeds the limit. Drops the least recently used objects to make room. */
  keep(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#kept.has(name) || bytes.byteLength > this.#maxBytes) return;
    this.#kept.set(name, bytes);
    this.#bytes += bytes.byteLength;
    this.limit(this.#maxBytes);
  }

  /** Changes the limit to `bytes` and drops the objects that no longer fit. */
  limit(bytes: number): void {
    this.#maxBytes = bytes;
    for (const [oldest, held] of this.#kept) {
      if (this.#bytes <= bytes) break;
      this.#forget(oldest, held);
    }
  }

  forget(names: Iterable<string>): void {
    for (const name of names) {
      const held = this.#kept.get(name);
      if (held !== undefined) this.#forget(name, held);
    }
  }

  #forget(name: string, held: Uint8Array): void {
    this.#kept.delete(name);
    this.#bytes -= held.byteLength;
  }
}
