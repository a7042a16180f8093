/**
 * Deletes and copies the objects of one run, one operation at a time, so nothing is deleted while a branch copies it. Objects
 * left by a failed deletion become garbage, and a later collection deletes them by age.
 */
import type { Hash } from "../../shared/artifacts.ts";
import type { Base, RunState } from "../../shared/training/protocol/run-state.ts";
import { copyBase, deleteAll, deleteObjects, isNamed, oldKeys, uselessKeys } from "./checkpoints.ts";
import { SerialQueue } from "./serial-queue.ts";

export class RunObjects {
  readonly #bucket: R2Bucket;
  readonly #work = new SerialQueue();

  constructor(bucket: R2Bucket) {
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

  /** Deletes the updates and checkpoints that a change of state has made useless. Never throws. */
  deleteUseless(before: RunState, after: RunState): Promise<void> {
    const useless = uselessKeys(before, after);
    return this.#work
      .run(() => deleteObjects(this.#bucket, useless))
      .catch((error: Error) =>
        // oxlint-disable-next-line no-console -- `wrangler tail` shows it; no caller waits for deletions
        console.warn(`run ${before.spec.run}: ${useless.length} objects left to garbage collection: ${error.message}`),
      );
  }

  /** Deletes objects that were uploaded before the time `before` and that no state names. Returns their number. */
  collectGarbage(run: string, before: number, named: () => ReadonlySet<Hash>): Promise<number> {
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
