/**
 * Hints to trainers that a run has work: one queue message per shard, each of which starts a trainer in production.
 * A hint may be lost, late or doubled, because leases live in the Run object and its alarm sends hints again.
 */
import type { RunSpec } from "../../shared/training/protocol/run-state.ts";

/** The least time between two hints: trainers at work ask by themselves, and unread messages would pile up. */
const HINT_MS = 5_000;
/** Messages of one sendBatch. developers.cloudflare.com/queues/platform/limits/ */
const MAX_BATCH_MESSAGES = 100;

export class TrainerHints {
  readonly #steps: Queue;
  #sentAt = 0;

  constructor(steps: Queue) {
    this.#steps = steps;
  }

  /** Never throws: a queue that refuses the messages delays trainers until the next alarm, and no longer. */
  async send({ run, training }: RunSpec): Promise<void> {
    if (Date.now() - this.#sentAt < HINT_MS) return;
    this.#sentAt = Date.now();
    try {
      for (let left = training.shards; left > 0; left -= MAX_BATCH_MESSAGES) {
        const size = Math.min(left, MAX_BATCH_MESSAGES);
        await this.#steps.sendBatch(Array.from({ length: size }, () => ({ body: { run } })));
      }
    } catch (error) {
      // oxlint-disable-next-line no-console -- `wrangler tail` shows it; no caller waits for a hint
      console.warn(`run ${run}: no hint to trainers: ${(error as Error).message}; the next alarm tries again`);
    }
  }
}
