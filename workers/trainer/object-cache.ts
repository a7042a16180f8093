/** Objects read through the coordinator, checked against their hashes, the most recently used kept up to a size. */
import type { Hash, ObjectKind } from "../../shared/artifacts.ts";
import { sha256 } from "../../shared/store.ts";

/** Leaves an isolate of 128 MB room to compute. */
const MAX_CACHED_BYTES = 24 * 1024 * 1024;

export class ObjectCache {
  readonly #coordinator: TrainerEnv["COORDINATOR"];
  readonly #kept = new Map<Hash, Uint8Array>();
  #bytes = 0;

  constructor(coordinator: TrainerEnv["COORDINATOR"]) {
    this.#coordinator = coordinator;
  }

  async read(kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
    const known = this.#kept.get(hash);
    if (known !== undefined) {
      // Moved to the young end.
      this.#kept.delete(hash);
      this.#kept.set(hash, known);
      return known;
    }
    const bytes = new Uint8Array(await new Response(await this.#coordinator.readObject(kind, hash)).arrayBuffer());
    const actual = await sha256(bytes);
    if (actual !== hash) throw new Error(`${kind} ${hash}: expected that hash, got ${actual}`);
    this.#kept.set(hash, bytes);
    this.#bytes += bytes.byteLength;
    for (const [oldest, held] of this.#kept) {
      if (this.#bytes <= MAX_CACHED_BYTES || oldest === hash) break;
      this.#kept.delete(oldest);
      this.#bytes -= held.byteLength;
    }
    return bytes;
  }
}
