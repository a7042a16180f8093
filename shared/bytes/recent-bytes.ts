/** The most recently used objects up to a size, by name: what was just written is read again soon. */
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
    // Moved to the young end.
    this.#kept.delete(name);
    this.#kept.set(name, known);
    return known;
  }

  /** Keeps an object unless it alone is too large; forgets the oldest ones. */
  keep(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#kept.has(name) || bytes.byteLength > this.#maxBytes) return;
    this.#kept.set(name, bytes);
    this.#bytes += bytes.byteLength;
    this.limit(this.#maxBytes);
  }

  /** Keeps no more than that many bytes from now on. */
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
