/**
 * Reads one object of each shard, in shard order, and starts a few reads ahead: storage is slow but answers several requests
 * in parallel.
 */
import type { Hash } from "../../shared/artifacts.ts";
import type { PartBuffer } from "./parts.ts";

/** The most bytes that are read ahead. */
const READ_AHEAD_BYTES = 6 * 1024 * 1024;

export class ReadAhead {
  readonly #read: (shard: number, buffer: PartBuffer) => Promise<Uint8Array>;
  readonly #shards: number;
  readonly #buffers: readonly PartBuffer[];
  readonly #ahead: Promise<Uint8Array>[] = [];
  #next = 0;

  /** `bytes` is the approximate size of one object. The larger the objects, the fewer buffers are used. */
  constructor(bucket: R2Bucket, run: string, names: readonly Hash[], bytes: number, buffers: readonly PartBuffer[]) {
    this.#read = (shard, buffer) => buffer.read(bucket, names[shard]!, run);
    this.#shards = names.length;
    this.#buffers = buffers.slice(0, Math.max(1, Math.floor(READ_AHEAD_BYTES / bytes)));
  }

  /** The next shard's bytes. They are valid until the next call. */
  take(): Promise<Uint8Array> {
    for (; this.#ahead.length < this.#buffers.length && this.#next < this.#shards; this.#next++) {
      const bytes = this.#read(this.#next, this.#buffers[this.#next % this.#buffers.length]!);
      // This prevents an unhandled rejection: the caller awaits the promise later, or never after an earlier failure.
      bytes.catch(() => undefined);
      this.#ahead.push(bytes);
    }
    return this.#ahead.shift()!;
  }
}
