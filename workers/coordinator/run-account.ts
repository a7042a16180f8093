/**
 * What a run uses of the platform, and whether it may use more today. The run's object counts, and tells the ledger now and
 * then, with where the run stands. What was not told yet is lost with the object's memory, at most a quarter of a minute of
 * work. Trainers' time is the coordinator's own measurement; the rest of a trainer's report is its word, bounded by what an
 * invocation can do.
 */
import { Meter } from "../../shared/costs/meter.ts";
import type { RunReport } from "../../shared/costs/reports.ts";
import { MAX_SUBREQUESTS } from "../../shared/limits.ts";
import { log } from "../../shared/log.ts";
import { isOver, type RunState } from "../../shared/training/protocol/run-state.ts";
import type { TrainerReport } from "../../shared/training/protocol/task.ts";
import type { Ledger } from "./ledger.ts";

const bounded = (count: number, most: number) => Math.min(most, Math.max(0, Number(count) || 0));
/** A message that waits for longer than a queue keeps it is an error of the trainer's. developers.cloudflare.com/queues/platform/limits/ */
const MAX_WAIT_MS = 14 * 24 * 3_600_000;

/** The error of a run that its operator deletes. Nobody is alerted to it. */
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

  /** A call of the run's object. */
  request(): void {
    this.#meter.objectRequest(Date.now());
  }

  /** A call with a submission, and the trainer's report. */
  submitted(report: TrainerReport | undefined): void {
    this.request();
    if (report === undefined) return;
    const [r2ClassA, r2ClassB] = [bounded(report.classA, MAX_SUBREQUESTS), bounded(report.classB, MAX_SUBREQUESTS)];
    this.#meter.add({ r2ClassA, r2ClassB });
    this.#queueAgeMs = bounded(report.waitedMs, MAX_WAIT_MS);
  }

  /** A change of state: counts trainers' time, and settles when the phase changes. */
  follow(before: RunState | null, after: RunState): void {
    this.#meter.add({ cpuMilliseconds: Math.max(0, after.spentMs - (before?.spentMs ?? after.spentMs)) });
    if (before?.phase !== after.phase) this.#ctx.waitUntil(this.settle(after));
  }

  /** True while today's budget of training is spent. */
  get isSpent(): boolean {
    return Date.now() < this.#spentUntil;
  }

  /** Called by an alarm or the like: tells the ledger what was used since the last call. Never throws: after a failure the next call tells it. */
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

  /** Tells the ledger that a run could not begin. Never throws. */
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
