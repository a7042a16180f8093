/**
 * Counts what a run uses of the platform, and knows whether the run may use more today. The run's object counts in memory and
 * sends the counts to the ledger now and then, with the run's position. If the object restarts, counts of at most 15 seconds are
 * lost. The coordinator measures the trainers' time itself. It takes the other numbers of a trainer's report as stated, up to the
 * limits of an invocation.
 */
import { Meter } from "../../shared/costs/meter.ts";
import type { RunReport } from "../../shared/costs/reports.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { MAX_SUBREQUESTS } from "../../shared/limits.ts";
import { log } from "../../shared/log.ts";
import { isOver, type RunState } from "../../shared/training/protocol/run-state.ts";
import type { TrainerReport } from "../../shared/training/protocol/task.ts";
import type { Ledger } from "./ledger.ts";

const bounded = (count: number, most: number) => Math.min(most, Math.max(0, Number(count) || 0));
/**
 * A queue keeps a message for at most this long, so a longer wait is a trainer's error.
 * developers.cloudflare.com/queues/platform/limits/
 */
const MAX_WAIT_MS = 14 * 24 * 3_600_000;

/** The error of a run that its operator deletes. It raises no alert. */
export const DELETED = "deleted";

export class RunAccount {
  readonly #ctx: DurableObjectState;
  readonly #meter = new Meter();
  readonly #ledger: DurableObjectNamespace<Ledger>;
  #spentUntil = 0;
  #queueAgeMs: number | null = null;
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

  /** Counts a call of the run's object. */
  request(): void {
    this.#meter.objectRequest(Date.now());
  }

  /** Counts a submission and the usage in the trainer's report. */
  submitted(report: TrainerReport | undefined): void {
    this.request();
    if (report === undefined) return;
    const [r2ClassA, r2ClassB] = [bounded(report.classA, MAX_SUBREQUESTS), bounded(report.classB, MAX_SUBREQUESTS)];
    this.#meter.add({ r2ClassA, r2ClassB });
    this.#queueAgeMs = bounded(report.waitedMs, MAX_WAIT_MS);
  }

  /** Call this after a change of state. Counts the trainers' time, and reports to the ledger if the phase has changed. */
  follow(before: RunState | null, after: RunState): void {
    this.#meter.add({ cpuMilliseconds: Math.max(0, after.spentMs - (before?.spentMs ?? after.spentMs)) });
    if (before?.phase !== after.phase) this.#ctx.waitUntil(this.settle(after));
  }

  /** True while today's budget of training is spent. */
  get isSpent(): boolean {
    return Date.now() < this.#spentUntil;
  }

  /**
   * Reports to the ledger what the run has used since the last report. Never throws: after a failure, the next report includes
   * the lost one.
   */
  settle(state: RunState): Promise<void> {
    const { spec, base, phase, tasks, counts, error } = state;
    return this.#tell({
      run: spec.run,
      round: base.round,
      tokens: base.tokens,
      refused: Object.values(counts).reduce((sum, count) => sum + count, 0),
      position: `${phase} ${base.checkpoint} ${tasks}`,
      isOpen: !isOver(state) && !state.paused,
      error: error === DELETED ? null : error,
    });
  }

  /** Reports to the ledger what the preparation of a run has used. Never throws. */
  prepared(run: string, position: string, usage: Usage): Promise<void> {
    this.request();
    this.#meter.add(usage);
    return this.#tell({ run, round: 0, tokens: 0, refused: 0, position, isOpen: true, error: null });
  }

  /** Reports to the ledger that a run could not begin. Never throws. */
  failed(run: string, error: string): Promise<void> {
    return this.#tell({ run, round: 0, tokens: 0, refused: 0, position: "failed", isOpen: false, error });
  }

  async #tell(standing: Omit<RunReport, "usage" | "queueAgeMs">): Promise<void> {
    this.request();
    const usage = this.#meter.take();
    const { run } = standing;
    try {
      const spentUntil = await this.#ledger.getByName("ledger").bookRun({ ...standing, usage, queueAgeMs: this.#queueAgeMs });
      if (spentUntil !== null && !this.isSpent) log("warn", "today's budget of training is spent, no tasks until midnight UTC", { run });
      this.#spentUntil = spentUntil ?? 0;
    } catch (error) {
      this.#meter.add(usage);
      log("warn", `costs are not booked: ${(error as Error).message}; the next call tries again`, { run });
    }
  }
}
