/**
 * Objects read and written through the coordinator, checked against their hashes, the most recently used kept up to a
 * size: what a trainer has written in one round it reads in the next.
 */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { MAX_RPC_BYTES } from "../../shared/limits.ts";
import { RecentBytes } from "../../shared/recent-bytes.ts";
import { sha256 } from "../../shared/store.ts";

/** Enough for a small model's parts and states and the token shards of a small data set. */
const MAX_CACHED_BYTES = 24 * 1024 * 1024;

export class ObjectCache {
  readonly #coordinator: TrainerEnv["COORDINATOR"];
  readonly #recent = new RecentBytes(MAX_CACHED_BYTES);

  constructor(coordinator: TrainerEnv["COORDINATOR"]) {
    this.#coordinator = coordinator;
  }

  /** An object, of a run's own if one is named. Throws when its bytes are not those of its name. */
  async read(kind: ObjectKind, hash: Hash, run?: string): Promise<Uint8Array> {
    const known = this.#recent.get(hash);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(await new Response(await this.#coordinator.readObject(kind, hash, run)).arrayBuffer());
    const actual = await sha256(bytes);
    if (actual !== hash) throw new Error(`${kind} ${hash}: expected that hash, got ${actual}`);
    this.#recent.keep(hash, bytes);
    return bytes;
  }

  /** Keeps no more than that many bytes: what a task leaves of an isolate's memory. */
  limit(bytes: number): void {
    this.#recent.limit(Math.max(0, Math.min(MAX_CACHED_BYTES, bytes)));
  }

  /** Stores a part of a run and returns its name. */
  async writePart(bytes: Uint8Array<ArrayBuffer>, run: string): Promise<Hash> {
    // Half of what a message may hold leaves room for its envelope.
    const small = bytes.byteLength < MAX_RPC_BYTES / 2;
    const hash = await this.#coordinator.writePart(run, small ? bytes : new Response(bytes).body!);
    this.#recent.keep(hash, bytes);
    return hash;
  }
}
