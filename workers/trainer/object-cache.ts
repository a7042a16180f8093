/**
 * Objects read and written through the coordinator, checked against their hashes, the most recently used kept up to a
 * size: what a trainer has written in one round it reads in the next. Parts of a model that would not fit are not kept:
 * they pass through one buffer, for buffers that are dropped lie about until the next collection, outside what V8 counts.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { MAX_RPC_BYTES } from "../../shared/limits.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import { checkHash } from "../../shared/store.ts";
import { readInto } from "../../shared/bytes/read-into.ts";

/** Enough for a small model's parts and states and the token shards of a small data set. */
const MAX_CACHED_BYTES = 24 * 1024 * 1024;

/** A part of two megabytes (PART_BYTES) with its header; larger ones make the buffer grow. */
const FIRST_BUFFER_BYTES = 2.25 * 1024 * 1024;

export class ObjectCache {
  readonly #coordinator: TrainerEnv["COORDINATOR"];
  readonly #recent = new RecentBytes(MAX_CACHED_BYTES);
  /** Parts on their way, one at a time. */
  #buffer: ArrayBuffer | null = null;
  #keepsParts = true;

  constructor(coordinator: TrainerEnv["COORDINATOR"]) {
    this.#coordinator = coordinator;
  }

  /** Whether parts are kept; if not, there is one buffer for all of them. */
  get keepsParts(): boolean {
    return this.#keepsParts;
  }

  /** An object. Throws when its bytes are not those of its name. */
  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(await new Response(await this.#coordinator.readObject(kind, hash)).arrayBuffer());
    await checkHash(kind, hash, bytes);
    this.#recent.keep(hash, bytes);
    return bytes;
  }

  /** A part of a run, valid until the next one is read or written. Throws when its bytes are not those of its name. */
  async readPart(hash: Hash, run: string): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const object = await this.#coordinator.readObject("part", hash, run);
    const isMessage = object instanceof Uint8Array;
    const bytes = isMessage ? object : await this.#readIntoBuffer(object);
    await checkHash("part", hash, bytes);
    if (this.#keepsParts) this.#recent.keep(hash, isMessage ? bytes : bytes.slice());
    return bytes;
  }

  async #readIntoBuffer(stream: ReadableStream): Promise<Uint8Array<ArrayBuffer>> {
    const buffer = this.#buffer ?? new ArrayBuffer(FIRST_BUFFER_BYTES);
    // Not there while it is read into, which uses it up, nor after a failure.
    this.#buffer = null;
    const bytes = await readInto(stream, buffer);
    this.#buffer = bytes.buffer;
    return bytes;
  }

  /** Where a part of that many bytes is to be encoded: what was read before is no longer valid. */
  room(bytes: number): ArrayBuffer {
    if (this.#keepsParts) return new ArrayBuffer(bytes);
    if (this.#buffer === null || this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return this.#buffer;
  }

  /** Adapts to a task: that many bytes are left of an isolate's memory, and its parts have so many together. */
  limit(bytes: number, partBytes: number): void {
    const kept = Math.max(0, Math.min(MAX_CACHED_BYTES, bytes));
    this.#keepsParts = partBytes <= kept;
    this.#recent.limit(kept);
  }

  /** Stores a part of a run and returns its name. */
  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    // Half of what a message may hold leaves room for its envelope. A message takes a whole buffer, so a view on one is streamed.
    const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.byteLength < MAX_RPC_BYTES / 2;
    const hash = await this.#coordinator.writePart(run, whole ? bytes : new Response(bytes).body!);
    if (this.#keepsParts) this.#recent.keep(hash, bytes);
    return hash;
  }
}
