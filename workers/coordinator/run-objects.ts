/**
 * The objects of one run: deletions and copies, one after the other, so nothing is deleted while a branch copies it.
 * What a deletion leaves after a failure becomes garbage, which a later collection deletes by age.
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

  /** Copies the parts of a checkpoint to another run. `find` runs when it is this copy's turn: the checkpoint exists until then and after. */
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

  /** Deletes objects that were uploaded before `before` and that nothing names, and returns their number. */
  collectGarbage(run: string, before: number, named: () => ReadonlySet<Hash>): Promise<number> {
    return this.#work.run(async () => {
      const old = await oldKeys(this.#bucket, run, before);
      // The names are read after the slow listing, during which trainers submit.
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
