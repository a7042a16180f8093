/**
 * Where a trainer reads and writes stored objects. A deployed trainer uses the bucket itself. Each access is one subrequest, but
 * not a call of another Worker, of which an invocation may make few. A trainer process of a local Tiffin cannot reach the bucket,
 * which belongs to the coordinator's process, so it uses the coordinator's RPC.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { readInto } from "../../shared/bytes/read-into.ts";
import { MAX_RPC_BYTES } from "../../shared/limits.ts";
import { checkHash, getObject, getObjectInto, isDamage, putObject } from "../../shared/store.ts";

/** Larger parts are streamed. Half of the limit leaves room for the message's envelope. */
export const MAX_PART_MESSAGE_BYTES = MAX_RPC_BYTES / 2;

/** Every read checks the bytes against the hash and throws if they differ. */
export interface ObjectSource {
  read(kind: ObjectKind, hash: Hash): Promise<Uint8Array<ArrayBuffer>>;
  /** Reads a part of a run. If the source can read into a buffer, it calls `takeBuffer` and consumes the returned buffer. */
  readPart(hash: Hash, run: string, takeBuffer: () => ArrayBuffer): Promise<PartBytes>;
  /** Stores a part of a run and returns its hash. */
  writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash>;
}

export interface PartBytes {
  bytes: Uint8Array<ArrayBuffer>;
  /** True if the bytes are in the taken buffer or in a larger buffer that replaced it. */
  isInBuffer: boolean;
}

/** Objects in the bucket itself. */
export class BucketObjects implements ObjectSource {
  readonly #bucket: R2Bucket;
  readonly #onDamage: (hash: Hash, run: string) => Promise<void>;

  /** `onDamage` is called for parts that are missing or have wrong bytes. They may belong to the run's current checkpoint. */
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

/** Objects through the coordinator's RPC. The coordinator reports damage to the run. */
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
    // If the coordinator has the part in memory, it sends a message, and a message has its own buffer.
    const isMessage = object instanceof Uint8Array;
    const bytes = isMessage ? object : await readInto(object, takeBuffer());
    await checkHash("part", hash, bytes);
    return { bytes, isInBuffer: !isMessage };
  }

  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    // A message would carry the whole buffer of a view, so views are streamed.
    const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.byteLength <= MAX_PART_MESSAGE_BYTES;
    return this.#coordinator.writePart(run, isWhole ? bytes : new Response(bytes).body!, bytes.byteLength);
  }
}
