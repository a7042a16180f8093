/**
 * One Run object is one training run. It stores the reducer's state (run-store.ts), performs the effects that the state
 * asks for (effects.ts), tells trainers about work (trainer-hints.ts) and deletes what no checkpoint needs.
 * It decides nothing about training: every decision is in shared/training/protocol.
 * All progress follows from the stored state, so the next call or the alarm continues after any crash.
 */
// oxlint-disable no-console -- `wrangler tail` shows these lines; no caller waits for the errors.
import { DurableObject } from "cloudflare:workers";
import type { Hash } from "../../shared/artifacts.ts";
import type { RunStatus } from "../../shared/contracts/runs.ts";
import { namedError } from "../../shared/errors.ts";
import * as protocol from "../../shared/training/protocol/run.ts";
import { isOver, partsOf, retainedHashes, type Base, type RunSpec, type RunState } from "../../shared/training/protocol/run-state.ts";
import type { Lease, Submission, SubmissionReply } from "../../shared/training/protocol/task.ts";
import { damageOf, keptCheckpoint } from "./checkpoints.ts";
import { performEffect } from "./effects.ts";
import { firstState, type BranchOrigin, type PublishedOrigin } from "./first-state.ts";
import { restoreAlarm } from "./lost-alarm.ts";
import { OpenReport } from "./open-report.ts";
import { RunObjects } from "./run-objects.ts";
import { RunStore } from "./run-store.ts";
import { RunView } from "./run-view.ts";
import { Signal } from "./signal.ts";
import type { Preparation } from "./status.ts";
import { TrainerHints } from "./trainer-hints.ts";

/** The alarm matters only after every message and every trainer has been lost. */
const ALARM_MS = 15_000;
/** The least age at which an open run's unnamed objects are garbage: a task or a reduction writes objects before the state names them. */
const MIN_GRACE_MS = 10 * 60_000;

export class Run extends DurableObject<CoordinatorEnv> {
  #store: RunStore;
  #state: RunState | null;
  readonly #hints: TrainerHints;
  readonly #objects: RunObjects;
  #openReport: OpenReport;
  /** A reduction, a rollback or a garbage collection: at most one at a time. */
  #effectInFlight: Promise<void> | null = null;
  /** True while a rollback deletes useless objects: a new task would write some of them again under the same names. */
  #leasingSuspended = false;
  /** Wakes the trainers that wait for a task. */
  readonly #taskAvailable = new Signal();
  #view: RunView;

  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    this.#hints = new TrainerHints(env.STEPS);
    this.#objects = new RunObjects(env.ARTIFACTS);
    this.#openReport = new OpenReport(env.REGISTRY);
    this.#view = new RunView(env.ARTIFACTS);
    this.#store = new RunStore(ctx.storage);
    this.#state = this.#store.load();
    if (this.#state === null || isOver(this.#state)) return;
    this.#save(protocol.restarted(this.#state));
    void ctx.blockConcurrencyWhile(() => restoreAlarm(ctx.storage, ALARM_MS));
  }

  /** Stores the state before the object acts on it: after a failed write, memory still agrees with storage. */
  #save(next: RunState): void {
    const before = this.#state;
    this.#store.save(before, next, Date.now());
    this.#state = next;
    this.#view.wake();
    if (before !== null && protocol.availableTasks(next, Date.now()) > protocol.availableTasks(before, Date.now())) this.#announceTasks();
    // Nothing comes of waiting for a run that is over.
    else if (before?.phase !== next.phase) this.#taskAvailable.wake();
  }

  /** Wakes the trainers that wait for a task, and hints at the tasks that they leave. */
  #announceTasks(): void {
    // New tasks would write some of the objects again that a rollback is about to delete.
    if (this.#leasingSuspended) return;
    const state = this.#begun();
    const tasks = protocol.availableTasks(state, Date.now()) - this.#taskAvailable.waiting;
    this.ctx.waitUntil(this.#hints.send(state.spec.run, tasks));
    this.#taskAvailable.wake();
  }

  #begun(): RunState {
    if (this.#state === null) throw namedError("NotFound", "run: expected a run that has begun training, this run has not");
    return this.#state;
  }

  /** The error of a preparation that failed; null once training has begun. */
  #failure(): string | null {
    return this.#state === null ? (this.#store.read<Preparation>("record")?.error ?? null) : null;
  }

  /** Stores the Workflow's report of the stage that it has reached before training. */
  async prepare(id: string, progress: Preparation["progress"]): Promise<void> {
    this.#store.write("record", { id, progress, error: null } satisfies Preparation);
    this.#view.wake();
    // An earlier preparation may have failed, after which the registry holds the run for closed.
    await this.#openReport.report(id, true);
  }

  /** Stores the Workflow's report that training cannot begin. A run that has begun continues without its Workflow. */
  async fail(id: string, message: string): Promise<void> {
    if (this.#state !== null) return;
    this.#store.write("record", { id, progress: { stage: "failed", done: 0, total: 0 }, error: message } satisfies Preparation);
    this.#view.wake();
  }

  /** Begins training, from a checkpoint of another run or a published model if `from` names one. A second call only makes sure that work continues. */
  async begin(spec: RunSpec, from?: BranchOrigin | PublishedOrigin): Promise<void> {
    if (this.#state === null) {
      const state = await firstState(this.env, spec, from);
      // A simultaneous call may have begun the run while this call wrote the same first checkpoint.
      if (this.#state === null) this.#save(state);
    }
    await this.rouse();
  }

  /** A task, after at most `waitMs` of waiting; `over` means that this run will never have a task again. */
  async lease(trainer: string, waitMs: number): Promise<{ lease: Lease | null; over: boolean }> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const over = this.#failure() !== null || (this.#state !== null && isOver(this.#state));
      if (over) await this.#reportClosed();
      if (over || this.#state === null) return { lease: null, over };
      this.#advance();
      const result = this.#leasingSuspended ? null : protocol.lease(this.#state, trainer, crypto.randomUUID(), Date.now());
      if (result !== null && result.state !== this.#state) {
        this.#save(result.state);
        // Leasing drops audits that nobody can finish, and the round may have waited for those alone.
        this.#advance();
      }
      if (result?.lease) return { lease: result.lease, over };
      const left = deadline - Date.now();
      if (left <= 0) return { lease: null, over };
      await this.#taskAvailable.wait(left);
    }
  }

  async submit(submission: Submission): Promise<SubmissionReply> {
    if (this.#state === null) return { accepted: false, reason: "not-started" };
    const before = this.#state;
    const result = protocol.submit(before, submission, Date.now());
    this.#save(result.state);
    if (result.state.evaluations > before.evaluations) this.#deleteUseless(before);
    this.#advance();
    return result.reply;
  }

  /**
   * Looks at a part that a reader could not read. Parts of older checkpoints do not matter, since the run deletes them itself.
   * The run reads the part again, because a trainer's word must not take it back.
   */
  async damaged(hash: Hash): Promise<void> {
    if (this.#state === null || !partsOf(this.#state.base).includes(hash)) return;
    const { spec, base } = this.#state;
    const reason = await damageOf(this.env.ARTIFACTS, hash, spec.run);
    if (reason === null || this.#state?.base.checkpoint !== base.checkpoint) return;
    console.error(`run ${spec.run}, round ${base.round}: damaged: ${reason}`);
    this.#save(protocol.damaged(this.#state, base.checkpoint, reason));
    this.#advance();
  }

  async pause(): Promise<void> {
    this.#save(protocol.paused(this.#begun()));
  }

  async resume(): Promise<void> {
    this.#save(protocol.resumed(this.#begun()));
    await this.rouse();
  }

  /** Ends training cleanly: trainers evaluate the last checkpoint, then the run is done. */
  async stop(): Promise<void> {
    const before = this.#begun();
    this.#save(protocol.stopped(before, Date.now()));
    this.#deleteUseless(before);
  }

  /** The spec and checkpoint that a branch begins with: the named kept checkpoint or the newest. Throws NotFound. */
  async branchPoint(checkpoint?: Hash): Promise<{ spec: RunSpec; base: Base }> {
    const state = this.#begun();
    return { spec: state.spec, base: keptCheckpoint(state, checkpoint) };
  }

  /** Copies a kept checkpoint's parts to another run. Deletions wait for the copy, so the parts stay until it has ended. */
  async copyTo(run: string, checkpoint?: Hash): Promise<Base> {
    return this.#objects.copy(this.#begun().spec.run, run, () => keptCheckpoint(this.#begun(), checkpoint));
  }

  /** Deletes the run and all its objects. */
  async destroy(id: string): Promise<void> {
    if (this.#state !== null && !isOver(this.#state)) this.#save(protocol.failed(this.#state, "deleted"));
    await this.ctx.storage.deleteAlarm();
    await this.#objects.deleteAll(id);
    this.#state = null;
    await this.ctx.storage.deleteAll();
    // This instance may live on as the next run of the same name.
    this.#store = new RunStore(this.ctx.storage);
    this.#openReport = new OpenReport(this.env.REGISTRY);
    this.#view.wake();
    this.#view = new RunView(this.env.ARTIFACTS);
  }

  /**
   * Deletes objects of this run that nothing names and that are older than the grace time, and returns their number.
   * An open run has a least grace time. No reduction runs meanwhile, because it writes objects before the state names them.
   */
  async collectGarbage(id: string, graceMs: number): Promise<number> {
    while (this.#effectInFlight !== null) await this.#effectInFlight.catch(() => undefined);
    const isOpen = this.#state === null || !isOver(this.#state);
    const before = Date.now() - (isOpen ? Math.max(graceMs, MIN_GRACE_MS) : graceMs);
    const named = () => (this.#state === null ? new Set<Hash>() : retainedHashes(this.#state));
    const collection = this.#objects.collectGarbage(id, before, named);
    // Trainers may have completed the round meanwhile, so its reduction starts afterwards.
    void this.#occupy(collection)
      .then(() => this.#advance())
      .catch(() => undefined);
    return collection;
  }

  /** Keeps every other effect from starting until `work` has ended. */
  #occupy(work: Promise<unknown>): Promise<void> {
    const ended = work
      .then(() => undefined)
      .finally(() => {
        this.#effectInFlight = null;
      });
    this.#effectInFlight = ended;
    this.ctx.waitUntil(ended);
    return ended;
  }

  /** Starts the effect that the state asks for, unless an effect is in flight. */
  #advance(): void {
    if (this.#effectInFlight !== null || this.#state === null) return;
    const effect = protocol.effectOf(this.#state);
    if (effect !== null) this.#occupy(this.#perform(this.#state, effect));
  }

  async #perform(before: RunState, effect: protocol.Effect): Promise<void> {
    try {
      const { kind, change } = await performEffect(this.env.ARTIFACTS, before, effect);
      this.#leasingSuspended = kind === "rolled-back";
      this.#save(change(this.#begun(), Date.now()));
      if (kind === "reopened") return;
      const deleted = this.#deleteUseless(before);
      if (kind === "rolled-back") await deleted;
    } catch (error) {
      const { message } = error as Error;
      console.error(`run ${before.spec.run}, round ${before.base.round}: ${message}; the next call or alarm tries again`);
    } finally {
      if (this.#leasingSuspended) {
        this.#leasingSuspended = false;
        this.#announceTasks();
      }
    }
  }

  /** Deletes the objects that the last event has made useless. */
  #deleteUseless(before: RunState): Promise<void> {
    const deleted = this.#objects.deleteUseless(before, this.#begun());
    this.ctx.waitUntil(deleted);
    return deleted;
  }

  async #reportClosed(): Promise<void> {
    const run = this.#state?.spec.run ?? this.#store.read<Preparation>("record")?.id;
    if (run !== undefined) await this.#openReport.report(run, false);
  }

  /**
   * Continues an open run: starts the effect that its state asks for, sets the alarm, and tells registry and trainers that
   * there is work. The Workflow, the alarm and the coordinator's cron call this, so each repairs what the others have lost.
   */
  async rouse(): Promise<void> {
    const state = this.#state;
    if (state === null) return;
    if (isOver(state)) return this.#reportClosed();
    // Before everything that may fail: in one transaction with the change of state that the caller has just stored.
    await this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
    await this.#openReport.report(state.spec.run, true);
    try {
      this.#advance();
    } catch (error) {
      console.error(`run ${state.spec.run}: ${(error as Error).message}; the next alarm tries again`);
    }
    await this.#hints.send(state.spec.run, protocol.availableTasks(state, Date.now()));
  }

  override async alarm(): Promise<void> {
    await this.rouse();
  }

  status(): Promise<RunStatus | null> {
    return this.#view.status(this.#store, this.#state, "curve");
  }

  /** Progress as server-sent events until the run is over or deleted. */
  async events(): Promise<ReadableStream<Uint8Array>> {
    return this.#view.events(() => this.#view.status(this.#store, this.#state, "newest"));
  }
}
