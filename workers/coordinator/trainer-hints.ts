/**
 * Tells trainers that a run has work: one queue message per task, and each message starts a trainer. A hint may be lost, late
 * or doubled, because leases are kept in the Run object and its alarm sends hints again.
 */
import { log } from "../../shared/log.ts";

/** The most messages in one sendBatch. developers.cloudflare.com/queues/platform/limits/ */
const MAX_BATCH_MESSAGES = 100;

export class TrainerHints {
  readonly #steps: Queue;

  constructor(steps: Queue) {
    this.#steps = steps;
  }

  /** Never throws: if the queue refuses the messages, the next alarm sends them again. */
  async send(run: string, tasks: number): Promise<void> {
    try {
      for (let left = tasks; left > 0; left -= MAX_BATCH_MESSAGES) {
        const size = Math.min(left, MAX_BATCH_MESSAGES);
        await this.#steps.sendBatch(Array.from({ length: size }, () => ({ body: { run } })));
      }
    } catch (error) {
      log("warn", `no hint to trainers: ${(error as Error).message}; the next alarm tries again`, { run });
    }
  }
}
