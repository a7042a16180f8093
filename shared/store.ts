/**
 * Content-addressed storage in an R2 bucket. A put never overwrites different bytes; it succeeds when the object exists. A get
 * throws when the bytes do not match their hash.
 */
import type { z } from "zod";
import { canonicalJson, objectKey, type Hash, type ObjectKind } from "./artifacts.ts";
import { hexOf } from "./bytes/hex.ts";
import { createRoom, MAX_READ_BYTES, MIN_ROOM_BYTES, readChunks, readInto } from "./bytes/read-into.ts";
import { namedError } from "./errors.ts";

/** The sha256 of bytes, in lower-case hexadecimal. */
export async function sha256(bytes: ArrayBuffer | ArrayBufferView): Promise<Hash> {
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource)));
}

/** Throws `CorruptObject` unless the bytes have this hash. */
export async function checkHash(kind: ObjectKind, hash: Hash, bytes: ArrayBuffer | ArrayBufferView): Promise<void> {
  compareHash(kind, hash, await sha256(bytes), bytes.byteLength);
}

function compareHash(kind: ObjectKind, hash: Hash, actual: Hash, bytes: number): void {
  if (actual !== hash) throw namedError("CorruptObject", `${kind} ${hash}: expected this hash, got ${actual} for ${bytes} bytes`);
}

/** Parses the JSON text of a stored object. Throws when the value does not fit the schema. */
export function parseJson<T>(bytes: ArrayBuffer | ArrayBufferView, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(new TextDecoder().decode(bytes as BufferSource)));
}

/**
 * Minimum waits before each retry of a failed R2 operation. R2 allows one write per key and second, so the last wait is longer
 * than a second (developers.cloudflare.com/r2/platform/limits/).
 */
const RETRY_MS = [30, 60, 1100] as const;

/**
 * Retries a failed R2 operation. A missing object is an error at once. A corrupt object is read again, because the answer may
 * have been cut short.
 */
async function withRetries<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const least = RETRY_MS[attempt];
      if (least === undefined || (error as Error).name === "MissingObject") throw error;
      // Jitter spreads the retries of callers that failed together.
      const wait = least * (1 + Math.random());
      await new Promise<void>((resolve) => {
        setTimeout(resolve, wait);
      });
    }
  }
}

/** Garbage collection deletes a run's objects by age. A put therefore writes an object again when it is older than this. */
const RENEW_AFTER_MS = 60_000;

/** Writes bytes under their hash unless the object exists, and returns the hash. With `run`, the object belongs to that run. */
export async function putObject(bucket: R2Bucket, kind: ObjectKind, bytes: ArrayBuffer | ArrayBufferView, run?: string): Promise<Hash> {
  const hash = await sha256(bytes);
  const key = objectKey(kind, hash, run);
  const isThere = await withRetries(async () => {
    // Null means that the object exists. Its name is its hash, so its bytes are the same.
    return (await bucket.put(key, bytes, { onlyIf: { etagDoesNotMatch: "*" }, sha256: hash })) === null;
  });
  if (!isThere || run === undefined) return hash;
  const there = await withRetries(() => bucket.head(key));
  // This write has its own retries, because R2 allows one write per key and second.
  if (there === null || Date.now() - there.uploaded.getTime() > RENEW_AFTER_MS)
    await withRetries(() => bucket.put(key, bytes, { sha256: hash }));
  return hash;
}

/** Writes a value as canonical JSON under its hash. */
export function putJson(bucket: R2Bucket, kind: ObjectKind, value: unknown, run?: string): Promise<Hash> {
  return putObject(bucket, kind, new TextEncoder().encode(canonicalJson(value)), run);
}

/** Writes a value as canonical JSON under a key that is not a hash, for example a manifest. */
export async function putRecord(bucket: R2Bucket, key: string, value: unknown): Promise<void> {
  await withRetries(() => bucket.put(key, canonicalJson(value)));
}

/** True for a missing or corrupt object; false for other storage failures. */
export function isDamage(error: unknown): boolean {
  return ["MissingObject", "CorruptObject"].includes((error as Error).name);
}

/** Reads an object and checks its hash. Throws `MissingObject` or `CorruptObject`. */
export async function getObject(bucket: R2Bucket, kind: ObjectKind, hash: Hash, run?: string): Promise<ArrayBuffer> {
  return readChecked(bucket, kind, hash, run, (object) => object.arrayBuffer());
}

/**
 * Reads an object into `buffer`, which is consumed: the result owns its memory. A caller can pass many large objects through one
 * buffer. A new buffer per object would fill the memory until the next garbage collection.
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
    // The first try consumes the buffer, so a retry allocates a new buffer.
    const into = room !== null && room.byteLength >= object.size + MIN_ROOM_BYTES ? room : createRoom(object.size);
    room = null;
    return readInto(object.body, into, object.size);
  });
}

/** Reads `length` bytes of an object from `offset`, without a hash check, and the object's size. Throws `MissingObject`. */
export async function getObjectRange(
  bucket: R2Bucket,
  kind: ObjectKind,
  hash: Hash,
  run: string | undefined,
  range: { offset: number; length: number },
): Promise<{ bytes: Uint8Array<ArrayBuffer>; size: number }> {
  return withRetries(async () => {
    const object = await bucket.get(objectKey(kind, hash, run), { range });
    if (object === null) throw missing(kind, hash);
    return { bytes: new Uint8Array(await object.arrayBuffer()), size: object.size };
  });
}

/**
 * Reads an object in chunks, each at its place `at` of `size` bytes, through `buffer`, which is consumed; the result can take its
 * place. A retry begins again at 0. The hash is checked at the end, so the chunks are not to be trusted before.
 */
export async function getObjectInChunks(
  bucket: R2Bucket,
  kind: ObjectKind,
  hash: Hash,
  buffer: ArrayBuffer,
  take: (chunk: Uint8Array, at: number, size: number) => void,
): Promise<ArrayBuffer> {
  let held = buffer;
  return withRetries(async () => {
    const object = await bucket.get(objectKey(kind, hash));
    if (object === null) throw missing(kind, hash);
    const digest = new crypto.DigestStream("SHA-256");
    const hashed = digest.getWriter();
    // A failed read detaches the buffer.
    held = await readChunks(object.body, held.byteLength > 0 ? held : new ArrayBuffer(MAX_READ_BYTES), object.size, async (chunk, at) => {
      await hashed.write(chunk);
      take(chunk, at, object.size);
    });
    await hashed.close();
    compareHash(kind, hash, hexOf(new Uint8Array(await digest.digest)), object.size);
    return held;
  });
}

/** Reads the first `length` bytes of an object, as `getObjectRange` does. */
export async function getObjectStart(
  bucket: R2Bucket,
  kind: ObjectKind,
  hash: Hash,
  run: string | undefined,
  length: number,
): Promise<{ start: Uint8Array; size: number }> {
  const { bytes: start, size } = await getObjectRange(bucket, kind, hash, run, { offset: 0, length });
  return { start, size };
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

/** Reads and validates a JSON object. Throws like `getObject`, and when the value does not fit the schema. */
export async function getJson<T>(bucket: R2Bucket, kind: ObjectKind, hash: Hash, schema: z.ZodType<T>, run?: string): Promise<T> {
  return parseJson(await getObject(bucket, kind, hash, run), schema);
}
