/**
 * Parts of runs in R2, those of small models kept in the isolate: what trainers upload is reduced, and what a reduction
 * writes is leased out, within the second. Storage is written before anybody hears of a part; the memory only saves
 * reading it back. Parts of larger models pass through buffers that are used again and again.
 */
import { objectKey, type Hash } from "../../shared/artifacts.ts";
import type { ModelConfig } from "../../shared/config.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { RecentBytes } from "../../shared/bytes/recent-bytes.ts";
import { createRoom } from "../../shared/bytes/read-into.ts";
import { getObject, getObjectInto, putObject } from "../../shared/store.ts";

/** Small beside an isolate's 128 MB: weights, state and one update of the largest model that is kept. */
const MAX_RECENT_BYTES = 18 * 1024 * 1024;
const MAX_KEPT_MODEL_BYTES = MAX_RECENT_BYTES / 3;

const recent = new RecentBytes(MAX_RECENT_BYTES);

/** Whether parts of a model are worth keeping: those of a larger one would only push each other out. */
export const isKept = (model: ModelConfig): boolean => 4 * parameterCount(model) <= MAX_KEPT_MODEL_BYTES;

/** A part of a run from memory or storage. Throws MissingObject, CorruptObject. */
export async function readPart(bucket: R2Bucket, hash: Hash, run: string): Promise<Uint8Array<ArrayBuffer>> {
  return recentPart(hash, run) ?? new Uint8Array(await getObject(bucket, "part", hash, run));
}

export function recentPart(hash: Hash, run: string): Uint8Array<ArrayBuffer> | undefined {
  return recent.get(objectKey("part", hash, run));
}

/** One place through which parts pass, each valid until the next one. */
export class PartBuffer {
  #memory = new ArrayBuffer(0);

  /** Throws MissingObject, CorruptObject. */
  async read(bucket: R2Bucket, hash: Hash, run: string): Promise<Uint8Array<ArrayBuffer>> {
    const known = recentPart(hash, run);
    if (known !== undefined) return known;
    const memory = this.#memory;
    // Not there while it is read into, nor after a failure.
    this.#memory = new ArrayBuffer(0);
    const bytes = await getObjectInto(bucket, "part", hash, run, memory);
    this.#memory = bytes.buffer;
    return bytes;
  }

  /** At least so many bytes to write into. */
  room(bytes: number): ArrayBuffer {
    if (this.#memory.byteLength < bytes) this.#memory = createRoom(bytes);
    return this.#memory;
  }
}

/** What shards have sent for a part is read so many at once, since storage is slow but answers several. */
const READ_AHEAD = 4;

/** The buffers of one reduction: weights and optimizer state of a part as they are read, then as they are written; what shards sent. */
export class Workspace {
  readonly weights = new PartBuffer();
  readonly outer = new PartBuffer();
  readonly updates = Array.from({ length: READ_AHEAD }, () => new PartBuffer());
}

/** Stores a part; `keeps` means that nobody changes the bytes from now on. */
export async function writePart(bucket: R2Bucket, bytes: Uint8Array<ArrayBuffer>, run: string, keeps = true): Promise<Hash> {
  const hash = await putObject(bucket, "part", bytes, run);
  if (keeps) recent.keep(objectKey("part", hash, run), bytes);
  return hash;
}

/** Whoever deletes objects says so here. */
export const forgetParts = (keys: Iterable<string>): void => recent.forget(keys);
