/**
 * Content-addressed reads and writes on an R2 bucket: create-only puts, hash-checked gets.
 * A put of bytes that are there already succeeds; a get of bytes that do not match their name throws.
 */
import type { z } from "zod";
import { canonicalJson, objectKey, type Hash, type ObjectKind } from "./artifacts.ts";
import { createRoom, MIN_ROOM_BYTES, readInto } from "./bytes/read-into.ts";
import { namedError } from "./errors.ts";

/** sha256 of bytes as lower-case hexadecimal. */
export async function sha256(bytes: ArrayBuffer | ArrayBufferView): Promise<Hash> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as BufferSource);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Checks bytes against the name they were read under. Throws `CorruptObject`. */
export async function checkHash(kind: ObjectKind, hash: Hash, bytes: ArrayBuffer | ArrayBufferView): Promise<void> {
  const actual = await sha256(bytes);
  if (actual !== hash)
    throw namedError("CorruptObject", `${kind} ${hash}: expected that hash, got ${actual} over ${bytes.byteLength} bytes`);
}

/** Parses the JSON text of a stored object. Throws when the value is not what the schema describes. */
export function parseJson<T>(bytes: ArrayBuffer | ArrayBufferView, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(new TextDecoder().decode(bytes as BufferSource)));
}

/**
 * The least waits before a failed R2 operation is tried again. The last wait exceeds the second in which R2 takes one
 * write per key (developers.cloudflare.com/r2/platform/limits/).
 */
const RETRY_MS = [30, 60, 1100] as const;

/** Repeats an operation that storage fails. A missing object is final; a corrupt one may be a short answer, so it is read again. */
async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const least = RETRY_MS[attempt];
      if (least === undefined || (error as Error).name === "MissingObject") throw error;
      // Jitter separates callers that failed together.
      const wait = least * (1 + Math.random());
      await new Promise<void>((resolve) => {
        setTimeout(resolve, wait);
      });
    }
  }
}

/** Garbage collection deletes a run's objects by age, so a put renews an object that is older than this. */
const RENEW_AFTER_MS = 60_000;

/** Writes bytes under their hash unless they are there, and returns the hash. `run` puts the object among that run's own. */
export async function putObject(bucket: R2Bucket, kind: ObjectKind, bytes: ArrayBuffer | ArrayBufferView, run?: string): Promise<Hash> {
  const hash = await sha256(bytes);
  const key = objectKey(kind, hash, run);
  const isThere = await withRetries(async () => {
    // A null result means that the condition failed: the object exists, and its name says that its bytes are the same.
    return (await bucket.put(key, bytes, { onlyIf: { etagDoesNotMatch: "*" }, sha256: hash })) === null;
  });
  if (!isThere || run === undefined) return hash;
  const there = await withRetries(() => bucket.head(key));
  // This put has retries of its own: each must come a second after the last put of the key.
  if (there === null || Date.now() - there.uploaded.getTime() > RENEW_AFTER_MS)
    await withRetries(() => bucket.put(key, bytes, { sha256: hash }));
  return hash;
}

/** Writes a value as canonical JSON under its hash. */
export function putJson(bucket: R2Bucket, kind: ObjectKind, value: unknown, run?: string): Promise<Hash> {
  return putObject(bucket, kind, new TextEncoder().encode(canonicalJson(value)), run);
}

/** Writes a value as canonical JSON under a key that is no hash: a manifest, a successor. */
export async function putRecord(bucket: R2Bucket, key: string, value: unknown): Promise<void> {
  await withRetries(() => bucket.put(key, canonicalJson(value)));
}

/** True for the errors of an object that is missing or whose bytes have changed, as opposed to storage that fails. */
export function isDamage(error: unknown): boolean {
  return ["MissingObject", "CorruptObject"].includes((error as Error).name);
}

/** Reads an object and checks it against its name. Throws `MissingObject` or `CorruptObject`. */
export async function getObject(bucket: R2Bucket, kind: ObjectKind, hash: Hash, run?: string): Promise<ArrayBuffer> {
  return readChecked(bucket, kind, hash, run, (object) => object.arrayBuffer());
}

/**
 * Reads an object into a buffer, which is consumed: the result owns its memory. Many large objects can pass through one
 * buffer, where dropped buffers would hold their memory until the next collection.
 */
export async function getObjectInto(
  bucket: R2Bucket,
  kind: ObjectKind,
  hash: Hash,
  run: string | undefined,
  buffer: ArrayBuffer,
): Promise<Uint8Array<ArrayBuffer>> {
  let room: ArrayBuffer | null = buffer;
  return readChecked(bucket, kind, hash, run, (object) => {
    // The first try has consumed the buffer; a second try needs a new one.
    const into = room !== null && room.byteLength >= object.size + MIN_ROOM_BYTES ? room : createRoom(object.size);
    room = null;
    return readInto(object.body, into, object.size);
  });
}

/** The first `length` bytes of an object, unchecked, and the object's size. Throws `MissingObject`. */
export async function getObjectStart(
  bucket: R2Bucket,
  kind: ObjectKind,
  hash: Hash,
  run: string | undefined,
  length: number,
): Promise<{ start: Uint8Array; size: number }> {
  return withRetries(async () => {
    const object = await bucket.get(objectKey(kind, hash, run), { range: { offset: 0, length } });
    if (object === null) throw missing(kind, hash);
    return { start: new Uint8Array(await object.arrayBuffer()), size: object.size };
  });
}

function readChecked<T extends ArrayBuffer | Uint8Array>(
  bucket: R2Bucket,
  kind: ObjectKind,
  hash: Hash,
  run: string | undefined,
  read: (object: R2ObjectBody) => Promise<T>,
): Promise<T> {
  return withRetries(async () => {
    const object = await bucket.get(objectKey(kind, hash, run));
    if (object === null) throw missing(kind, hash);
    const bytes = await read(object);
    await checkHash(kind, hash, bytes);
    return bytes;
  });
}

const missing = (kind: ObjectKind, hash: Hash) => namedError("MissingObject", `${kind} ${hash}: expected an object, found none`);

/** Reads and validates a JSON object. Throws like `getObject`, and when the value is not what the schema describes. */
export async function getJson<T>(bucket: R2Bucket, kind: ObjectKind, hash: Hash, schema: z.ZodType<T>, run?: string): Promise<T> {
  return parseJson(await getObject(bucket, kind, hash, run), schema);
}
