/**
 * Where a trainer reads and writes stored objects. A deployed trainer has the bucket itself: each access is one subrequest
 * and calls no other Worker, of which an invocation may call few. A further local process has no access to the
 * bucket, which belongs to the coordinator's process, so it goes through the coordinator.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { readInto } from "../../shared/bytes/read-into.ts";
import { MAX_RPC_BYTES } from "../../shared/limits.ts";
import { checkHash, getObject, getObjectInto, isDamage, putObject } from "../../shared/store.ts";

/** Every read checks the bytes against the hash and throws when they differ. */
export interface ObjectSource {
  read(kind: ObjectKind, hash: Hash): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads a part of a run. `takeBuffer` gives a buffer, which is consumed, if the source can read into one. */
  readPart(hash: Hash, run: string, takeBuffer: () => ArrayBuffer): Promise<PartBytes>;
  /** Stores a part of a run and returns its name. */
  writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash>;
}

export interface PartBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** True if the bytes are in the buffer that was given, or in a larger one instead of it. */
  isInBuffer: boolean;
}

/** The bucket itself. */
export class BucketObjects implements ObjectSource {
  readonly #bucket: R2Bucket;
  readonly #onDamage: (hash: Hash, run: string) => Promise<void>;

  /** `onDamage` is told about parts that are missing or have changed, which may belong to the run's current checkpoint. */
  constructor(bucket: R2Bucket, onDamage: (hash: Hash, run: string) => Promise<void>) {
    this.#bucket = bucket;
    this.#onDamage = onDamage;
  }

  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await getObject(this.#bucket, kind, hash));
  }

  async readPart(hash: Hash, run: string, takeBuffer: () => ArrayBuffer): Promise<PartBytes> {
    try {
      return { bytes: await getObjectInto(this.#bucket, "part", hash, run, takeBuffer()), isInBuffer: true };
    } catch (error) {
      if (isDamage(error)) await this.#onDamage(hash, run);
      throw error;
    }
  }

  writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    return putObject(this.#bucket, "part", bytes, run);
  }
}

/** The coordinator's RPC. It reports damage to the run itself. */
export class CoordinatorObjects implements ObjectSource {
  readonly #coordinator: TrainerEnv["COORDINATOR"];

  constructor(coordinator: TrainerEnv["COORDINATOR"]) {
    this.#coordinator = coordinator;
  }

  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(await new Response(await this.#coordinator.readObject(kind, hash)).arrayBuffer());
    await checkHash(kind, hash, bytes);
    return bytes;
  }

  async readPart(hash: Hash, run: string, takeBuffer: () => ArrayBuffer): Promise<PartBytes> {
    const object = await this.#coordinator.readObject("part", hash, run);
    // The coordinator sends a part of its memory as a message, which is a buffer of its own.
    const isMessage = object instanceof Uint8Array;
    const bytes = isMessage ? object : await readInto(object, takeBuffer());
    await checkHash("part", hash, bytes);
    return { bytes, isInBuffer: !isMessage };
  }

  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    // Half of a message's limit leaves room for its envelope. A message takes a whole buffer, so a view on a buffer is streamed.
    const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.byteLength < MAX_RPC_BYTES / 2;
    return this.#coordinator.writePart(run, isWhole ? bytes : new Response(bytes).body!);
  }
}
