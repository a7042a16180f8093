/** One object of each shard, in order, some of them read ahead: storage is slow but answers several. */
import type { Hash } from "../../shared/artifacts.ts";
import type { PartBuffer } from "./parts.ts";

/** Bytes that are read at once. */
const READ_AHEAD_BYTES = 6 * 1024 * 1024;

export class ReadAhead {
  readonly #read: (shard: number, buffer: PartBuffer) => Promise<Uint8Array>;
  readonly #shards: number;
  readonly #buffers: readonly PartBuffer[];
  readonly #ahead: Promise<Uint8Array>[] = [];
  #next = 0;

  /** Of objects of about so many bytes each, through some of the buffers. */
  constructor(bucket: R2Bucket, run: string, names: readonly Hash[], bytes: number, buffers: readonly PartBuffer[]) {
    this.#read = (shard, buffer) => buffer.read(bucket, names[shard]!, run);
    this.#shards = names.length;
    this.#buffers = buffers.slice(0, Math.max(1, Math.floor(READ_AHEAD_BYTES / bytes)));
  }

  /** The next shard's bytes, valid until the next call. */
  take(): Promise<Uint8Array> {
    for (; this.#ahead.length < this.#buffers.length && this.#next < this.#shards; this.#next++) {
      const bytes = this.#read(this.#next, this.#buffers[this.#next % this.#buffers.length]!);
      // Its turn comes later, or never when an earlier one is bad.
      bytes.catch(() => undefined);
      this.#ahead.push(bytes);
    }
    return this.#ahead.shift()!;
  }
}
