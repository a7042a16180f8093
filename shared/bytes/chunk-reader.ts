/** Reads any number of bytes from a stream of chunks. `what` names the file in errors. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #what: string;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: AsyncIterable<Uint8Array>, what: string) {
    this.#chunks = stream[Symbol.asyncIterator]();
    this.#what = what;
  }

  /** True if no byte is left. */
  async isAtEnd(): Promise<boolean> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return true;
      this.#rest = next.value;
    }
    return false;
  }

  /** Up to `most` bytes, at least one. Throws at the end of the stream. */
  async some(most: number): Promise<Uint8Array> {
    if (await this.isAtEnd()) throw new Error(`${this.#what}: expected the end of the archive, but the stream ended early`);
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.byteLength);
    return taken;
  }

  async exactly(bytes: number): Promise<Uint8Array> {
    const all = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const part = await this.some(bytes - at);
      all.set(part, at);
      at += part.byteLength;
    }
    return all;
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) left -= (await this.some(left)).byteLength;
  }

  /** Ends the stream early. */
  async cancel(): Promise<void> {
    await this.#chunks.return?.();
  }
}
