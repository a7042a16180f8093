/**
 * A trainer's most recently used objects, up to a size: in each round a trainer reads what it wrote in the round before. If a
 * model's parts do not fit, they are not kept. They pass through one buffer instead, because V8 does not count the memory of
 * dropped buffers and frees it late.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import type { ObjectSource } from "./object-source.ts";

/** Enough for the parts and states of a small model and the token shards of a small dataset. */
const MAX_CACHED_BYTES = 24 * 1024 * 1024;

/** Room for a part of two megabytes (PART_BYTES) with its header. For larger parts the buffer grows. */
const FIRST_BUFFER_BYTES = 2.25 * 1024 * 1024;

export class ObjectCache {
  readonly #source: ObjectSource;
  readonly #recent = new RecentBytes(MAX_CACHED_BYTES);
  /** The buffer for parts, used by one part at a time. Null while a part is read into it. */
  #buffer: ArrayBuffer | null = null;
  #keepsParts = true;

  constructor(source: ObjectSource) {
    this.#source = source;
  }

  /** True if parts are kept. If false, all parts share one buffer. */
  get keepsParts(): boolean {
    return this.#keepsParts;
  }

  /** Reads an object. Throws if its bytes do not match its hash. */
  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const bytes = await this.#source.read(kind, hash);
    this.#recent.keep(hash, bytes);
    return bytes;
  }

  /** Reads a part of a run. The bytes are valid until the next part is read or written. Throws if they do not match the hash. */
  async readPart(hash: Hash, run: string): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const { bytes, isInBuffer } = await this.#source.readPart(hash, run, () => this.#takeBuffer());
    if (isInBuffer) this.#buffer = bytes.buffer;
    if (this.#keepsParts) this.#recent.keep(hash, isInBuffer ? bytes.slice() : bytes);
    return bytes;
  }

  /** Takes the buffer. A read consumes it, and a failed read does not give it back. */
  #takeBuffer(): ArrayBuffer {
    const buffer = this.#buffer ?? new ArrayBuffer(FIRST_BUFFER_BYTES);
    this.#buffer = null;
    return buffer;
  }

  /** Memory to encode a part of `bytes` into. The part that was read last becomes invalid. */
  room(bytes: number): ArrayBuffer {
    if (this.#keepsParts) return new ArrayBuffer(bytes);
    if (this.#buffer === null || this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return this.#buffer;
  }

  /** Adapts the cache to a task. `bytes`: free memory of the isolate. `partBytes`: total size of the task's parts. */
  limit(bytes: number, partBytes: number): void {
    const kept = Math.max(0, Math.min(MAX_CACHED_BYTES, bytes));
    this.#keepsParts = partBytes <= kept;
    this.#recent.limit(kept);
  }

  /** Stores a part of a run and returns its hash. */
  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    const hash = await this.#source.writePart(bytes, run);
    if (this.#keepsParts) this.#recent.keep(hash, bytes);
    return hash;
  }
}
