/**
 * What a run uses of the platform, and whether it may use more today: its object counts, and tells the ledger now and then. What was not told yet is lost with
 * the object's memory, at most a quarter of a minute of work. Trainers' time is the coordinator's own measurement; their
 * storage operations are their word, bounded by what an invocation can make.
 */
// oxlint-disable no-console -- tells an operator why a run stands still; no caller waits for a booking
import { Meter } from "../../shared/costs/meter.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { MAX_SUBREQUESTS } from "../../shared/limits.ts";
import type { RunState } from "../../shared/training/protocol/run-state.ts";
import type { StorageOperations } from "../../shared/training/protocol/task.ts";
import type { Ledger } from "./ledger.ts";

const bounded = (count: number) => Math.min(MAX_SUBREQUESTS, Math.max(0, Number(count) || 0));

export class RunAccount {
  readonly #ctx: DurableObjectState;
  readonly #meter = new Meter();
  readonly #ledger: DurableObjectNamespace<Ledger>;
  #spentUntil = 0;
  readonly bucket: R2Bucket;
  readonly steps: Queue;
  readonly storage: Pick<DurableObjectStorage, "sql" | "transactionSync">;

  constructor(env: CoordinatorEnv, ctx: DurableObjectState) {
    const { storage } = ctx;
    this.#ctx = ctx;
    this.#ledger = env.LEDGER;
    this.bucket = this.#meter.bucket(env.ARTIFACTS);
    this.steps = this.#meter.queue(env.STEPS);
    this.storage = { sql: this.#meter.sql(storage.sql), transactionSync: (work) => storage.transactionSync(work) };
  }

  /** A call of the run's object. */
  request(): void {
    this.#meter.objectRequest(Date.now());
  }

  /** A call with a submission, and the trainer's storage operations. */
  submitted({ classA, classB }: StorageOperations = { classA: 0, classB: 0 }): void {
    this.request();
    this.#meter.add({ r2ClassA: bounded(classA), r2ClassB: bounded(classB) });
  }

  /** A change of state: counts trainers' time, and settles when the phase changes. */
  follow(before: RunState | null, after: RunState): void {
    this.#meter.add({ cpuMilliseconds: Math.max(0, after.spentMs - (before?.spentMs ?? after.spentMs)) });
    if (before?.phase !== after.phase) this.#ctx.waitUntil(this.settle(after.spec.run));
  }

  /** True while today's budget of training is spent. */
  get isSpent(): boolean {
    return Date.now() < this.#spentUntil;
  }

  /** Called by an alarm or the like: tells the ledger what was used since the last call. Never throws: after a failure the next call tells it. */
  async settle(run: string): Promise<void> {
    this.request();
    const usage: Usage = this.#meter.take();
    try {
      const spentUntil = await this.#ledger.getByName("ledger").bookRun(run, usage);
      if (spentUntil !== null && !this.isSpent)
        console.warn(`run ${run}: today's budget of training is spent, no tasks until midnight UTC`);
      this.#spentUntil = spentUntil ?? 0;
    } catch (error) {
      this.#meter.add(usage);
      console.warn(`run ${run}: its costs were not booked: ${(error as Error).message}; the next call tries again`);
    }
  }
}
