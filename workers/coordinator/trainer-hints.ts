/**
 * Tells trainers that a run has work: one queue message per task, and each message starts a trainer. A hint may be lost, late
 * or doubled, because leases are kept in the Run object and its alarm sends hints again. A task gets no second message while the
 * first may still arrive: otherwise messages would pile up while trainers are busy, or while a deployment replaces them.
 */
import { log } from "../../shared/log.ts";

/** The most messages in one sendBatch. developers.cloudflare.com/queues/platform/limits/ */
const MAX_BATCH_MESSAGES = 100;
/** A message counts as lost if no trainer has asked for a task after this time. */
const LOST_MS = 60_000;

export class TrainerHints {
  readonly #steps: Queue;
  /** When the messages were sent for which no trainer has asked yet, oldest first. */
  #unheard: number[] = [];

  constructor(steps: Queue) {
    this.#steps = steps;
  }

  /** A trainer asks for a task: a message has arrived. */
  heard(): void {
    this.#unheard.shift();
  }

  /** Sends messages until one is on its way for each task. Never throws: if the queue refuses them, the next alarm sends them again. */
  async send(run: string, tasks: number): Promise<void> {
    const now = Date.now();
    this.#unheard = this.#unheard.filter((sentAt) => now - sentAt < LOST_MS);
    for (let left = tasks - this.#unheard.length; left > 0; left -= MAX_BATCH_MESSAGES) {
      const size = Math.min(left, MAX_BATCH_MESSAGES);
      // Counted before they are sent, because another call may come meanwhile.
      const sent = Array.from({ length: size }, () => now);
      this.#unheard.push(...sent);
      try {
        await this.#steps.sendBatch(sent.map(() => ({ body: { run } })));
      } catch (error) {
        this.#unheard.splice(-size);
        return log("warn", `no hint to trainers: ${(error as Error).message}; the next alarm tries again`, { run });
      }
    }
  }
}
