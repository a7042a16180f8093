/**
 * One Run object is one training run. It stores the reducer's state (run-store.ts), performs the effects that the state asks
 * for (effects.ts), tells trainers about work (task-offers.ts) and deletes objects that no checkpoint needs. Every decision
 * about training is in shared/training/protocol. After a crash the next call or the alarm continues from the stored state.
 */
import { DurableObject } from "cloudflare:workers";
import type { Hash } from "../../shared/artifacts.ts";
import type { Curve, CurveQuery } from "../../shared/contracts/curve.ts";
import type { RunStatus, RunTick } from "../../shared/contracts/runs.ts";
import type { Usage } from "../../shared/costs/usage.ts";
import { namedError } from "../../shared/errors.ts";
import { ARITHMETIC, FIRST_ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import { runRate } from "../../shared/training/protocol/cpu-rate.ts";
import { availableTasks } from "../../shared/training/protocol/open-tasks.ts";
import * as protocol from "../../shared/training/protocol/run.ts";
import { isOver, partsOf, retainedHashes, type Base, type RunSpec, type RunState } from "../../shared/training/protocol/run-state.ts";
import type { LeaseReply, Submission, SubmissionReply } from "../../shared/training/protocol/task.ts";
import { log } from "../../shared/log.ts";
import { damageOf, keptCheckpoint } from "./checkpoints.ts";
import { EffectTurn } from "./effect-turn.ts";
import { performEffect } from "./effects.ts";
import { firstState, type BranchOrigin, type PublishedOrigin } from "./first-state.ts";
import { restoreAlarm } from "./lost-alarm.ts";
import { OpenReport } from "./open-report.ts";
import { DELETED, RunAccount } from "./run-account.ts";
import { RunObjects } from "./run-objects.ts";
import { RunStore } from "./run-store.ts";
import { RunView } from "./run-view.ts";
import { faultOfObjects } from "./state-headers.ts";
import { branchRecord, type LossesShown, type Preparation } from "./status.ts";
import { TaskOffers } from "./task-offers.ts";

/** The alarm is needed only when all messages and all trainers have been lost. */
const ALARM_MS = 15_000;

export class Run extends DurableObject<CoordinatorEnv> {
  #store: RunStore;
  #state: RunState | null;
  readonly #offers: TaskOffers;
  readonly #objects: RunObjects;
  #openReport: OpenReport;
  readonly #effects: EffectTurn;
  readonly #account: RunAccount;
  #view: RunView;

  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    this.#effects = new EffectTurn(ctx);
    this.#account = new RunAccount(env, ctx);
    this.#offers = new TaskOffers(ctx, this.#account);
    this.#objects = new RunObjects(ctx, this.#account.bucket);
    this.#openReport = new OpenReport(env.REGISTRY);
    this.#view = new RunView(this.#account.bucket);
    this.#store = new RunStore(this.#account.storage);
    this.#state = this.#store.load();
    if (this.#state === null || isOver(this.#state)) return;
    this.#save(protocol.restarted(this.#state));
    void ctx.blockConcurrencyWhile(() => restoreAlarm(ctx.storage, ALARM_MS));
  }

  /** Stores the new state first, then acts on it. If the write fails, memory and storage still agree. */
  #save(next: RunState): void {
    const [before, now] = [this.#state, Date.now()];
    this.#store.save(before, next, now);
    this.#state = next;
    this.#view.wake();
    this.#account.follow(before, next);
    if (before !== null && availableTasks(next, now) > availableTasks(before, now)) this.#offers.announce(next);
    // When the phase changes, waiting trainers wake up: a run that is over has no more tasks.
    else if (before?.phase !== next.phase) this.#offers.wake();
  }

  #begun(): RunState {
    if (this.#state === null) throw namedError("NotFound", "run: expected a run that has begun training, this run has not");
    return this.#state;
  }

  /** Stores which stage of the preparation the Workflow has reached, and books what it has used since the last stage. */
  async prepare(id: string, progress: Preparation["progress"], usage: Usage = {}): Promise<void> {
    this.#store.write("record", { id, progress, error: null } satisfies Preparation);
    this.#view.wake();
    // An earlier preparation may have failed, and then the registry lists the run as closed.
    await this.#openReport.report(id, true);
    await this.#account.prepared(id, `${progress.stage} ${progress.done}`, usage);
  }

  /** Stores the Workflow's report that training cannot begin. If training has begun, the run continues without its Workflow. */
  async fail(id: string, message: string): Promise<void> {
    if (this.#state !== null) return;
    this.#store.write("record", { id, progress: { stage: "failed", done: 0, total: 0 }, error: message } satisfies Preparation);
    this.#view.wake();
    await this.#account.failed(id, message);
  }

  /** Begins training. `from` names another run's checkpoint or a published model. A second call only keeps work going. */
  async begin(spec: RunSpec, from?: BranchOrigin | PublishedOrigin): Promise<void> {
    if (this.#state === null) {
      if (from !== undefined && "run" in from) this.#store.write("record", branchRecord(spec.run, from.run));
      const state = await firstState({ ...this.env, ARTIFACTS: this.#account.bucket }, spec, from);
      // A simultaneous call may have begun the run meanwhile, with the same first checkpoint.
      if (this.#state === null) this.#save(state);
    }
    await this.rouse();
  }

  /**
   * Leases a task to a trainer of this coordinator's version of the arithmetic; waits at most `waitMs`. `over` means that this
   * run will never have a task again; `otherArithmetic` is the coordinator's version if it is not the trainer's.
   */
  async lease(trainer: string, waitMs: number, arithmetic = FIRST_ARITHMETIC): Promise<LeaseReply> {
    const versions = { trainer: arithmetic, coordinator: ARITHMETIC };
    this.#offers.asked();
    const deadline = Date.now() + waitMs;
    for (;;) {
      const over = this.#state === null ? this.#store.hasFailed() : isOver(this.#state);
      if (over) await this.#reportClosed();
      if (over || this.#state === null || this.#account.isSpent) return { lease: null, over };
      this.#advance();
      const given = this.#offers.isSuspended ? null : protocol.lease(this.#state, trainer, crypto.randomUUID(), Date.now(), versions);
      if (given !== null && given.state !== this.#state) {
        this.#save(given.state);
        // Leasing drops audits that no trainer can finish. The round may have waited only for these audits.
        this.#advance();
      }
      if (given?.lease) return { lease: given.lease, over };
      if (given?.otherArithmetic !== undefined) return { lease: null, over, otherArithmetic: given.otherArithmetic };
      const left = deadline - Date.now();
      if (left <= 0) return { lease: null, over };
      await this.#offers.wait(left);
    }
  }

  async submit(submission: Submission): Promise<SubmissionReply> {
    this.#account.submitted(submission.report);
    const fault = await faultOfObjects(this.#account.bucket, this.#state, submission);
    if (this.#state === null) return { accepted: false, reason: "not-started" };
    const before = this.#state;
    const result = protocol.submit(before, submission, Date.now(), ARITHMETIC, fault);
    this.#save(result.state);
    if (result.state.evaluations > before.evaluations) void this.#objects.deleteUseless(before, result.state);
    this.#advance();
    return result.reply;
  }

  /** Gives back a task that a trainer could not compute, so that another trainer gets it at once. */
  async release(shard: number, lease: string): Promise<void> {
    this.#account.request();
    if (this.#state !== null) this.#save(protocol.released(this.#state, shard, lease, Date.now()));
  }

  /**
   * Checks a part that a reader could not read. The run reads the part itself, because a trainer's word alone must not cause a
   * rollback. Parts of older checkpoints are ignored, since the run deletes them itself.
   */
  async damaged(hash: Hash): Promise<void> {
    if (this.#state === null || !partsOf(this.#state.base).includes(hash)) return;
    const { spec, base } = this.#state;
    const reason = await damageOf(this.#account.bucket, hash, spec.run);
    if (reason === null || this.#state?.base.checkpoint !== base.checkpoint) return;
    log("error", `damaged: ${reason}`, { run: spec.run, round: base.round });
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
    void this.#objects.deleteUseless(before, this.#begun());
  }

  /** The spec and the checkpoint of a branch: `checkpoint` if it is kept, by default the newest. Throws NotFound. */
  async branchPoint(checkpoint?: Hash): Promise<{ spec: RunSpec; base: Base }> {
    const state = this.#begun();
    return { spec: state.spec, base: keptCheckpoint(state, checkpoint) };
  }

  /** Copies a kept checkpoint's parts to another run. Deletions wait until the copy has ended. */
  async copyTo(run: string, checkpoint?: Hash): Promise<Base> {
    return this.#objects.copy(this.#begun().spec.run, run, () => keptCheckpoint(this.#begun(), checkpoint));
  }

  /** Deletes the run and all its objects. */
  async destroy(id: string): Promise<void> {
    if (this.#state !== null && !isOver(this.#state)) this.#save(protocol.failed(this.#state, DELETED));
    await this.ctx.storage.deleteAlarm();
    await this.#objects.deleteAll(id);
    this.#state = null;
    await this.ctx.storage.deleteAll();
    // This instance may later become the next run of the same name, so its state is reset.
    this.#store = new RunStore(this.#account.storage);
    this.#openReport = new OpenReport(this.env.REGISTRY);
    this.#view.wake();
    this.#view = new RunView(this.#account.bucket);
  }

  /**
   * Deletes objects that no state names and that are older than the grace time. Returns their number. An open run has a
   * minimum grace time. No reduction runs meanwhile, because a reduction writes objects before the state names them.
   */
  async collectGarbage(id: string, graceMs: number): Promise<number> {
    await this.#effects.free();
    const isOpen = this.#state === null || !isOver(this.#state);
    const named = () => (this.#state === null ? new Set<Hash>() : retainedHashes(this.#state));
    const collection = this.#objects.collectGarbage(id, graceMs, isOpen, named);
    // Trainers may have completed the round meanwhile. Then the round's reduction starts now.
    void this.#effects
      .take(collection)
      .then(() => this.#advance())
      .catch(() => undefined);
    return collection;
  }

  /** Starts the effect that the state asks for, unless another effect is running. */
  #advance(): void {
    if (this.#effects.isTaken || this.#state === null) return;
    const effect = protocol.effectOf(this.#state);
    if (effect !== null) this.#effects.take(this.#perform(this.#state, effect));
  }

  async #perform(before: RunState, effect: protocol.Effect): Promise<void> {
    try {
      const { kind, change } = await performEffect(this.#account.bucket, before, effect);
      this.#offers.isSuspended = kind === "rolled-back";
      this.#save(change(this.#begun(), Date.now()));
      if (kind === "reopened") return;
      const deleted = this.#objects.deleteUseless(before, this.#begun());
      if (kind === "rolled-back") await deleted;
    } catch (error) {
      const { message } = error as Error;
      log("error", `${message}; the next call or alarm tries again`, { run: before.spec.run, round: before.base.round });
    } finally {
      if (this.#offers.isSuspended) {
        this.#offers.isSuspended = false;
        this.#offers.announce(this.#begun());
      }
    }
  }

  async #reportClosed(): Promise<void> {
    const run = this.#state?.spec.run ?? this.#store.read<Preparation>("record")?.id;
    if (run !== undefined) await this.#openReport.report(run, false, this.#state === null ? null : runRate(this.#state));
    if (this.#state !== null) await this.#account.settle(this.#state);
  }

  /**
   * Continues an open run: starts the effect that the state asks for, sets the alarm, and reports to registry and trainers
   * that there is work. The Workflow, the alarm and the coordinator's cron call this; each repairs what the others have lost.
   */
  async rouse(): Promise<void> {
    this.#account.request();
    const state = this.#state;
    if (state === null) return;
    if (isOver(state)) return this.#reportClosed();
    // The alarm comes first, because later lines may fail. It is in one transaction with the state that the caller has stored.
    await this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
    await this.#openReport.report(state.spec.run, true);
    try {
      this.#advance();
    } catch (error) {
      log("error", `${(error as Error).message}; the next alarm tries again`, { run: state.spec.run });
    }
    await this.#offers.repeat(state);
    await this.#account.settle(state);
  }

  override async alarm(): Promise<void> {
    await this.rouse();
  }

  status(losses: LossesShown = "curve"): Promise<RunStatus | null> {
    this.#account.request();
    return this.#view.status(this.#store, this.#state, losses);
  }

  async curve(query: CurveQuery): Promise<Omit<Curve, "run">> {
    return this.#store.history.curve(query);
  }

  tick(): Promise<RunTick | null> {
    return this.#view.tick(this.#store, this.#state);
  }

  /**
   * Progress as server-sent events until the run is over or deleted. Sends whole statuses. With `ticks`, sends small ticks with
   * the rounds after `since`.
   */
  async events(ticks?: { since: number | null }): Promise<ReadableStream<Uint8Array>> {
    return this.#view.events(() => ({ store: this.#store, state: this.#state }), ticks);
  }
}
