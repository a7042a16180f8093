/**
 * The most recently used objects of a trainer, up to a size: a trainer reads in one round what it wrote in the round before.
 * The parts of a model that does not fit are not kept. They pass through one buffer, because dropped buffers keep their
 * memory until the next collection, which V8 does not count.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import type { ObjectSource } from "./object-source.ts";

/** Enough for a small model's parts and states and the token shards of a small dataset. */
const MAX_CACHED_BYTES = 24 * 1024 * 1024;

/** A part of two megabytes (PART_BYTES) with its header. Larger parts make the buffer grow. */
const FIRST_BUFFER_BYTES = 2.25 * 1024 * 1024;

export class ObjectCache {
  readonly #source: ObjectSource;
  readonly #recent = new RecentBytes(MAX_CACHED_BYTES);
  /** The buffer for parts, one at a time; null while a part is read into it. */
  #buffer: ArrayBuffer | null = null;
  #keepsParts = true;

  constructor(source: ObjectSource) {
    this.#source = source;
  }

  /** True if parts are kept; if not, all parts share one buffer. */
  get keepsParts(): boolean {
    return this.#keepsParts;
  }

  /** An object. Throws when its bytes do not match its name. */
  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const bytes = await this.#source.read(kind, hash);
    this.#recent.keep(hash, bytes);
    return bytes;
  }

  /** A part of a run, valid until the next part is read or written. Throws when its bytes do not match its name. */
  async readPart(hash: Hash, run: string): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const { bytes, isInBuffer } = await this.#source.readPart(hash, run, () => this.#takeBuffer());
    if (isInBuffer) this.#buffer = bytes.buffer;
    if (this.#keepsParts) this.#recent.keep(hash, isInBuffer ? bytes.slice() : bytes);
    return bytes;
  }

  /** Reading consumes the buffer, and a failed read loses it. */
  #takeBuffer(): ArrayBuffer {
    const buffer = this.#buffer ?? new ArrayBuffer(FIRST_BUFFER_BYTES);
    this.#buffer = null;
    return buffer;
  }

  /** Memory to encode a part of `bytes` into. The part that was read before is no longer valid. */
  room(bytes: number): ArrayBuffer {
    if (this.#keepsParts) return new ArrayBuffer(bytes);
    if (this.#buffer === null || this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return this.#buffer;
  }

  /** Adapts to a task: `bytes` are left of the isolate's memory, and the task's parts have `partBytes` together. */
  limit(bytes: number, partBytes: number): void {
    const kept = Math.max(0, Math.min(MAX_CACHED_BYTES, bytes));
    this.#keepsParts = partBytes <= kept;
    this.#recent.limit(kept);
  }

  /** Stores a part of a run and returns its name. */
  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    const hash = await this.#source.writePart(bytes, run);
    if (this.#keepsParts) this.#recent.keep(hash, bytes);
    return hash;
  }
}
