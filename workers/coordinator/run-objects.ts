/**
 * Deletes and copies the objects of one run, one operation at a time, so nothing is deleted while a branch copies it. Objects
 * left by a failed deletion become garbage, and a later collection deletes them by age.
 */
import type { Hash } from "../../shared/artifacts.ts";
import type { Base, RunState } from "../../shared/training/protocol/run-state.ts";
import { log } from "../../shared/log.ts";
import { copyBase, deleteAll, deleteObjects, isNamed, oldKeys, uselessKeys } from "./checkpoints.ts";
import { SerialQueue } from "./serial-queue.ts";

/** In an open run, younger objects are never garbage: tasks and reductions write objects before the state names them. */
const MIN_GRACE_MS = 10 * 60_000;

export class RunObjects {
  readonly #ctx: DurableObjectState;
  readonly #bucket: R2Bucket;
  readonly #work = new SerialQueue();

  constructor(ctx: DurableObjectState, bucket: R2Bucket) {
    this.#ctx = ctx;
    this.#bucket = bucket;
  }

  /**
   * Copies the parts of a checkpoint to another run. `find` is called when earlier operations have ended, so the checkpoint
   * cannot be deleted before it is copied.
   */
  copy(from: string, to: string, find: () => Base): Promise<Base> {
    return this.#work.run(async () => {
      const base = find();
      await copyBase(this.#bucket, base, from, to);
      return base;
    });
  }

  /** Deletes the updates and checkpoints that a change of state has made useless, also if the caller does not wait. Never throws. */
  deleteUseless(before: RunState, after: RunState): Promise<void> {
    const useless = uselessKeys(before, after);
    const deleted = this.#work
      .run(() => deleteObjects(this.#bucket, useless))
      .catch((error: Error) =>
        log("warn", `${useless.length} objects left to garbage collection: ${error.message}`, { run: before.spec.run }),
      );
    this.#ctx.waitUntil(deleted);
    return deleted;
  }

  /** Deletes objects that no state names and that are older than the grace time. Returns their number. */
  collectGarbage(run: string, graceMs: number, isOpen: boolean, named: () => ReadonlySet<Hash>): Promise<number> {
    const before = Date.now() - (isOpen ? Math.max(graceMs, MIN_GRACE_MS) : graceMs);
    return this.#work.run(async () => {
      const old = await oldKeys(this.#bucket, run, before);
      // Trainers submit during the slow listing, so the names are read after it.
      const names = named();
      const orphans = old.filter((key) => !isNamed(key, names));
      await deleteObjects(this.#bucket, orphans);
      return orphans.length;
    });
  }

  deleteAll(run: string): Promise<void> {
    return deleteAll(this.#bucket, run);
  }
}
