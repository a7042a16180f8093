/** A run's offers of tasks: wakes the trainers that wait for a task, and sends hints for tasks that no waiting trainer takes. */
import { availableTasks } from "../../shared/training/protocol/open-tasks.ts";
import type { RunState } from "../../shared/training/protocol/run-state.ts";
import type { RunAccount } from "./run-account.ts";
import { Signal } from "../../shared/signal.ts";
import { TrainerHints } from "./trainer-hints.ts";

export class TaskOffers {
  readonly #ctx: DurableObjectState;
  readonly #account: RunAccount;
  readonly #hints: TrainerHints;
  readonly #available = new Signal();
  /** True while a rollback deletes useless objects. A new task would write some of these objects again under the same names. */
  isSuspended = false;

  constructor(ctx: DurableObjectState, account: RunAccount) {
    this.#ctx = ctx;
    this.#account = account;
    this.#hints = new TrainerHints(account.steps);
  }

  /** A trainer asks for a task, in a call of the run's object. */
  asked(): void {
    this.#account.request();
    this.#hints.heard();
  }

  /** Wakes the trainers that wait for a task. For the tasks that remain, sends hints to other trainers. */
  announce(state: RunState): void {
    if (this.isSuspended || this.#account.isSpent) return;
    const tasks = availableTasks(state, Date.now()) - this.#available.waiting;
    this.#ctx.waitUntil(this.#hints.send(state.spec.run, tasks));
    this.#available.wake();
  }

  /** Sends hints for tasks without a hint on its way, because earlier hints may be lost. */
  async repeat(state: RunState): Promise<void> {
    if (!this.#account.isSpent) await this.#hints.send(state.spec.run, availableTasks(state, Date.now()));
  }

  /** Wakes the trainers that wait for a task. They check whether the run can still have a task for them. */
  wake(): void {
    this.#available.wake();
  }

  /** Waits for a task, at most `ms`. */
  wait(ms: number): Promise<void> {
    return this.#available.wait(ms);
  }
}
