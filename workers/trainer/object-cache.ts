/**
 * Objects read and written through the coordinator and checked against their hashes. The most recently used are kept up to a
 * size, because a trainer reads in one round the parts that it wrote in the round before. Parts of a model that does not fit
 * are not kept. They pass through one buffer: dropped buffers occupy memory until the next collection, and V8 does not count them.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { MAX_RPC_BYTES } from "../../shared/limits.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import { checkHash } from "../../shared/store.ts";
import { readInto } from "../../shared/bytes/read-into.ts";

/** Enough for a small model's parts and states and the token shards of a small data set. */
const MAX_CACHED_BYTES = 24 * 1024 * 1024;

/** A part of two megabytes (PART_BYTES) with its header; larger parts make the buffer grow. */
const FIRST_BUFFER_BYTES = 2.25 * 1024 * 1024;

export class ObjectCache {
  readonly #coordinator: TrainerEnv["COORDINATOR"];
  readonly #recent = new RecentBytes(MAX_CACHED_BYTES);
  /** Holds a part at a time when parts are not kept. */
  #buffer: ArrayBuffer | null = null;
  #keepsParts = true;

  constructor(coordinator: TrainerEnv["COORDINATOR"]) {
    this.#coordinator = coordinator;
  }

  /** Whether parts are kept; if not, there is one buffer for all of them. */
  get keepsParts(): boolean {
    return this.#keepsParts;
  }

  /** Reads an object. Throws when its bytes do not have its hash. */
  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(await new Response(await this.#coordinator.readObject(kind, hash)).arrayBuffer());
    await checkHash(kind, hash, bytes);
    this.#recent.keep(hash, bytes);
    return bytes;
  }

  /** Reads a part of a run, valid until the next part is read or written. Throws when its bytes do not have its hash. */
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
    // Reading consumes the buffer, so it is missing meanwhile and after a failure.
    this.#buffer = null;
    const bytes = await readInto(stream, buffer);
    this.#buffer = bytes.buffer;
    return bytes;
  }

  /** Memory to encode a part of that many bytes in; parts read before are no longer valid. */
  room(bytes: number): ArrayBuffer {
    if (this.#keepsParts) return new ArrayBuffer(bytes);
    if (this.#buffer === null || this.#buffer.byteLength < bytes) this.#buffer = new ArrayBuffer(bytes);
    return this.#buffer;
  }

  /** Adapts to a task: `bytes` of the isolate's memory are left, and the parts of its model take `partBytes`. */
  limit(bytes: number, partBytes: number): void {
    const kept = Math.max(0, Math.min(MAX_CACHED_BYTES, bytes));
    this.#keepsParts = partBytes <= kept;
    this.#recent.limit(kept);
  }

  /** Stores a part of a run and returns its name. */
  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    // Half of a message's limit leaves room for its envelope. A message takes a whole buffer, so a view of a buffer is streamed.
    const whole = bytes.byteLength === bytes.buffer.byteLength && bytes.byteLength < MAX_RPC_BYTES / 2;
    const hash = await this.#coordinator.writePart(run, whole ? bytes : new Response(bytes).body!);
    if (this.#keepsParts) this.#recent.keep(hash, bytes);
    return hash;
  }
}
