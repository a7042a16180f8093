/**
 * Reads and writes parts of runs in R2. Parts of small models also stay in the isolate's memory: a reduction reads the
 * trainers' uploads within a second, and trainers read the results of the reduction. Storage is always written first; memory
 * only saves reading a part back. Parts of larger models pass through reused buffers.
 */
import { objectKey, type Hash } from "../../shared/artifacts.ts";
import { readAtMost } from "../../shared/bytes/bounded.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import { createRoom } from "../../shared/bytes/read-into.ts";
import { namedError } from "../../shared/errors.ts";
import { getObject, getObjectInto, putObject } from "../../shared/store.ts";
import { CACHE_BYTES, reserveUpload } from "./isolate-memory.ts";

const recent = new RecentBytes(CACHE_BYTES);

/** Reads a part of a run from memory or storage. Throws MissingObject, CorruptObject. */
export async function readPart(bucket: R2Bucket, hash: Hash, run: string): Promise<Uint8Array<ArrayBuffer>> {
  return recentPart(hash, run) ?? new Uint8Array(await getObject(bucket, "part", hash, run));
}

export function recentPart(hash: Hash, run: string): Uint8Array<ArrayBuffer> | undefined {
  return recent.get(objectKey("part", hash, run));
}

/** A reused buffer. A part in it is valid until the next part is read. */
export class PartBuffer {
  #memory = new ArrayBuffer(0);

  /** Throws MissingObject, CorruptObject. */
  async read(bucket: R2Bucket, hash: Hash, run: string): Promise<Uint8Array<ArrayBuffer>> {
    const known = recentPart(hash, run);
    if (known !== undefined) return known;
    const memory = this.#memory;
    // The read consumes the buffer's memory, and a failed read does not return it.
    this.#memory = new ArrayBuffer(0);
    const bytes = await getObjectInto(bucket, "part", hash, run, memory);
    this.#memory = bytes.buffer;
    return bytes;
  }

  /** A buffer of at least `bytes` to write into. */
  room(bytes: number): ArrayBuffer {
    if (this.#memory.byteLength < bytes) this.#memory = createRoom(bytes);
    return this.#memory;
  }
}

/** Updates that are read at the same time: storage is slow but answers several requests in parallel. */
const READ_AHEAD = 4;

/** The buffers of one reduction: for a part's weights and optimizer state (read, then written) and for the shards' updates. */
export class Workspace {
  readonly weights = new PartBuffer();
  readonly outer = new PartBuffer();
  readonly updates = Array.from({ length: READ_AHEAD }, () => new PartBuffer());
}

/** Stores a part. With `keeps` the part also stays in memory, so the caller must not change the bytes afterwards. */
export async function writePart(bucket: R2Bucket, bytes: Uint8Array<ArrayBuffer>, run: string, keeps = true): Promise<Hash> {
  const hash = await putObject(bucket, "part", bytes, run);
  if (keeps) recent.keep(objectKey("part", hash, run), bytes);
  return hash;
}

/** The largest part is one float32 matrix of 4096 x 4096. Other parts have a few megabytes. */
const MAX_UPLOAD_BYTES = 64 * 1024 * 1024;

/**
 * Stores a part that a trainer sends, as a message or as a stream of at most `size` bytes, once there is memory for it. Throws
 * InvalidInput, Busy.
 */
export async function receivePart(
  bucket: R2Bucket,
  run: string,
  sent: ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer>,
  size = MAX_UPLOAD_BYTES,
): Promise<Hash> {
  const most = sent instanceof Uint8Array ? sent.byteLength : size;
  if (!(most <= MAX_UPLOAD_BYTES)) throw namedError("InvalidInput", `part: expected at most ${MAX_UPLOAD_BYTES} bytes, got ${most}`);
  using _memory = await reserveUpload(most);
  const { bytes, truncated } = sent instanceof Uint8Array ? { bytes: sent, truncated: false } : await readAtMost(sent, most);
  if (truncated) throw namedError("InvalidInput", `part: expected at most ${most} bytes, got more`);
  // mean.ts reads the start of each object, and R2 refuses that for an empty object.
  if (bytes.byteLength === 0) throw namedError("InvalidInput", "part: expected bytes, got none");
  return await writePart(bucket, bytes, run);
}

/** Removes deleted objects from memory. */
export const forgetParts = (keys: Iterable<string>): void => recent.forget(keys);
