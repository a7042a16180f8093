import { joined } from "../../../shared/bytes/joined.ts";

/** Reads bits, the most significant first, from a window on the input. */
export class BitReader {
  #bytes: Uint8Array = new Uint8Array();
  /** The next bit, counted from the window's start. */
  bit = 0;

  get left(): number {
    return this.#bytes.length * 8 - this.bit;
  }

  /** Drops what is read and appends bytes. */
  refill(more: readonly Uint8Array[]): void {
    this.#bytes = joined([this.#bytes.subarray(this.bit >> 3), ...more]);
    this.bit &= 7;
  }

  /** The next `count` bits (at most 24) as a number, without moving on. Bits after the end are 0. */
  peek(count: number): number {
    const at = this.bit >> 3;
    const [a = 0, b = 0, c = 0, d = 0] = [this.#bytes[at], this.#bytes[at + 1], this.#bytes[at + 2], this.#bytes[at + 3]];
    return (((a << 24) | (b << 16) | (c << 8) | d) << (this.bit & 7)) >>> (32 - count);
  }

  read(count: number): number {
    if (count > this.left) throw new Error("bzip2: expected more bytes, got the end");
    const value = this.peek(count);
    this.bit += count;
    return value;
  }

  /** Moves on by bits that `peek` has shown. */
  skip(count: number): void {
    this.bit += count;
  }
}
