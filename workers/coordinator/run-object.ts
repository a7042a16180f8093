/**
 * One Run object is one training run. It persists the reducer's state and performs its effects: reductions, rollbacks,
 * queue hints, clean-up. All progress hangs on the stored state: whoever asks next, a trainer or the alarm, sets the
 * work going again.
 */
// oxlint-disable no-console -- the log that `wrangler tail` shows; nobody waits for these errors.
import { DurableObject } from "cloudflare:workers";
import { datasetSchema, type Dataset, type Hash } from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { checkCpu, estimateEvaluationCpu, estimateTaskCpu } from "../../shared/model/footprint/cpu-time.ts";
import { checkMemory, estimateTaskMemory } from "../../shared/model/footprint/memory.ts";
import { getJson, isDamage } from "../../shared/store.ts";
import type { Lease, Submission, SubmissionReply } from "../../shared/training/protocol/task.ts";
import { copyBase, deleteAll, deleteObjects, isNamed, oldKeys, uselessKeys } from "./checkpoints.ts";
import { BadDelta } from "./mean.ts";
import { firstCheckpoint, nextCheckpoint, putCheckpoint } from "./reduce.ts";
import {
  damaged,
  effectOf,
  failed,
  lease,
  paused,
  reduced,
  reissue,
  restarted,
  resumed,
  rolledBack,
  stopped,
  submit,
  type Effect,
} from "../../shared/training/protocol/run.ts";
import {
  initialState,
  isOver,
  partsOf,
  retained,
  type Base,
  type RunSpec,
  type RunState,
  retainedHashes,
} from "../../shared/training/protocol/run-state.ts";
import { RunStore } from "./run-store.ts";
import { statusOf, type Preparation, type RunStatus } from "./status.ts";

/** The alarm only matters when every message and every trainer is lost. */
const ALARM_MS = 15_000;
/** Hints are sent no more often: trainers at work ask by themselves, and unread messages pile up. */
const HINT_MS = 5_000;
/** What a task or a reduction has written, and what nothing names yet, is younger than this. */
const MIN_GRACE_MS = 10 * 60_000;
/** Messages of one sendBatch. developers.cloudflare.com/queues/platform/limits/ */
const MAX_BATCH_MESSAGES = 100;

interface BranchOrigin {
  run: string;
  checkpoint?: Hash | undefined;
  lrScale?: number;
}

export class Run extends DurableObject<CoordinatorEnv> {
  #store: RunStore;
  #state: RunState | null;
  #working: Promise<void> | null = null;
  /** Deletions, one after the other and beside the work. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Set while what a rollback has made useless is deleted: some of it comes again under the same name. */
  #closed = false;
  /** Wakes the trainers that wait for a task. */
  #news = Promise.withResolvers<void>();
  #dataset: Dataset | null = null;
  #hintedAt = 0;

  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    this.#store = new RunStore(ctx.storage);
    this.#state = this.#store.load();
    if (this.#state !== null) this.#save(restarted(this.#state));
  }

  /** Stores a state, and only then goes by it: after a failed write the object still stands where its storage does. */
  #save(next: RunState): void {
    const before = this.#state;
    this.#store.save(before, next, Date.now());
    this.#state = next;
    if (before?.base !== next.base || before.phase !== next.phase) this.#wake();
  }

  #wake(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  #begun(): RunState {
    if (this.#state === null) throw namedError("NotFound", "run: expected one that has begun training, this one has not");
    return this.#state;
  }

  /** The Workflow's report before training: which stage it is at. */
  async prepare(id: string, progress: Preparation["progress"]): Promise<void> {
    this.#store.write("record", { id, progress, error: null } satisfies Preparation);
  }

  /** Its report that training cannot begin. A run that has begun goes on without the Workflow. */
  async fail(id: string, message: string): Promise<void> {
    if (this.#state !== null) return;
    this.#store.write("record", { id, progress: { stage: "failed", done: 0, total: 0 }, error: message } satisfies Preparation);
  }

  /** Begins training, from a checkpoint of another run if one is named. A second call only sees to it that the first one's work goes on. */
  async begin(spec: RunSpec, from?: BranchOrigin): Promise<void> {
    if (this.#state === null) {
      const state = await this.#firstState(spec, from);
      // Another call may have begun while the first checkpoint was written: it is the same one.
      if (this.#state === null) this.#save(state);
    }
    await this.#rouse();
  }

  async #firstState(spec: RunSpec, from?: BranchOrigin): Promise<RunState> {
    const { training } = spec;
    if (training.steps === 1 && training.shards > training.batch)
      throw namedError("InvalidInput", `shards: expected at most ${training.batch}, one sequence each, got ${training.shards}`);
    checkMemory(estimateTaskMemory(spec.model, training));
    checkCpu(estimateTaskCpu(spec.model, training));
    checkCpu(estimateEvaluationCpu(spec.model, training, spec.valTokens ?? 0));
    const base = from === undefined ? await firstCheckpoint(this.env.ARTIFACTS, spec) : await this.#branch(spec, from);
    if (base.round >= spec.rounds)
      throw namedError(
        "InvalidInput",
        `tokens: expected more than the ${base.tokens} that the checkpoint has seen, got ${training.tokens}`,
      );
    return initialState(spec, base);
  }

  async #branch(spec: RunSpec, from: BranchOrigin): Promise<Base> {
    const base = await this.env.RUN.getByName(from.run).copyTo(spec.run, from.checkpoint);
    return putCheckpoint(this.env.ARTIFACTS, spec, { ...base, lrScale: base.lrScale * (from.lrScale ?? 1) });
  }

  /** A task, waited for at most so long; `over` when there will never be one here again. */
  async lease(trainer: string, waitMs: number): Promise<{ lease: Lease | null; over: boolean }> {
    const deadline = Date.now() + waitMs;
    for (;;) {
      const over = this.#failure() !== null || (this.#state !== null && isOver(this.#state));
      if (over || this.#state === null) return { lease: null, over };
      this.#advance();
      const result = this.#closed ? null : lease(this.#state, trainer, crypto.randomUUID(), Date.now());
      if (result !== null && result.state !== this.#state) {
        this.#save(result.state);
        // The audits that it has dropped may have been all that the round waited for.
        this.#advance();
      }
      if (result?.lease) return { lease: result.lease, over };
      const left = deadline - Date.now();
      if (left <= 0) return { lease: null, over };
      await Promise.race([this.#news.promise, scheduler.wait(left)]);
    }
  }

  async submit(submission: Submission): Promise<SubmissionReply> {
    if (this.#state === null) return { accepted: false, reason: "not-started" };
    const before = this.#state;
    const result = submit(before, submission, Date.now());
    this.#save(result.state);
    if (result.state.evaluations > before.evaluations) this.#sweep(before);
    this.#advance();
    return result.reply;
  }

  #failure(): string | null {
    return this.#state === null ? (this.#store.read<Preparation>("record")?.error ?? null) : null;
  }

  /** A part cannot be read. Only the current checkpoint's matter: others may be gone by right. */
  async damaged(hash: Hash, reason: string): Promise<void> {
    if (this.#state === null || !partsOf(this.#state.base).includes(hash)) return;
    console.error(`run ${this.#state.spec.run}, round ${this.#state.base.round}: damaged: ${reason}`);
    this.#save(damaged(this.#state, this.#state.base.checkpoint, reason));
    this.#advance();
  }

  async pause(): Promise<void> {
    this.#save(paused(this.#begun()));
  }

  async resume(): Promise<void> {
    this.#save(resumed(this.#begun()));
    this.#wake();
    await this.#rouse();
  }

  /** Ends training cleanly: the last checkpoint is evaluated, then the run is done. */
  async stop(): Promise<void> {
    this.#save(stopped(this.#begun(), Date.now()));
    await this.#hint(this.#begun().spec);
  }

  /** What a branch of this run starts with: its spec, and the newest of the checkpoints that are kept unless one is named. Throws NotFound. */
  async branchPoint(checkpoint?: Hash): Promise<{ spec: RunSpec; base: Base }> {
    const state = this.#begun();
    const kept = retained(state);
    const base = kept.find((each) => each.checkpoint === (checkpoint ?? state.base.checkpoint));
    if (base === undefined) {
      const hashes = new Set(kept.map((each) => each.checkpoint));
      throw namedError("NotFound", `checkpoint: expected one of ${[...hashes].join(", ")}, got ${checkpoint}`);
    }
    return { spec: state.spec, base };
  }

  /** Copies a kept checkpoint's parts to another run. Nothing is deleted meanwhile, however fast this run leaves the checkpoint behind. */
  async copyTo(run: string, checkpoint?: Hash): Promise<Base> {
    return this.#inTurn(async () => {
      const { spec, base } = await this.branchPoint(checkpoint);
      await copyBase(this.env.ARTIFACTS, base, spec.run, run);
      return base;
    });
  }

  /** Forgets the run and all its objects. */
  async destroy(id: string): Promise<void> {
    if (this.#state !== null && !isOver(this.#state)) this.#save(failed(this.#state, "deleted"));
    await this.ctx.storage.deleteAlarm();
    await deleteAll(this.env.ARTIFACTS, id);
    this.#state = null;
    this.#dataset = null;
    await this.ctx.storage.deleteAll();
    // This instance may live on and be asked again: by name it is a new run.
    this.#store = new RunStore(this.ctx.storage);
  }

  /**
   * Deletes objects of this run that nothing names and that are older than a grace time, which has a least length while
   * there is work. Nothing is reduced meanwhile: that writes objects before the state names them.
   */
  async collectGarbage(id: string, graceMs: number): Promise<number> {
    while (this.#working !== null) await this.#working.catch(() => undefined);
    const isOpen = this.#state === null || !isOver(this.#state);
    const sweep = this.#inTurn(async () => {
      const old = await oldKeys(this.env.ARTIFACTS, id, Date.now() - (isOpen ? Math.max(graceMs, MIN_GRACE_MS) : graceMs));
      // Asked after the listing, which takes its time: trainers submit meanwhile.
      const named = this.#state === null ? new Set<Hash>() : retainedHashes(this.#state);
      const orphans = old.filter((key) => !isNamed(key, named));
      await deleteObjects(this.env.ARTIFACTS, orphans);
      return orphans.length;
    });
    // A round may have been completed meanwhile.
    void this.#occupy(sweep)
      .then(() => this.#advance())
      .catch(() => undefined);
    return sweep;
  }

  /** Nothing else is begun before this has ended. */
  #occupy(work: Promise<unknown>): Promise<void> {
    const over = work
      .then(() => undefined)
      .finally(() => {
        this.#working = null;
      });
    this.#working = over;
    this.ctx.waitUntil(over);
    return over;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Sets the next effect going; at most one at a time. */
  #advance(): void {
    if (this.#working !== null || this.#state === null) return;
    const effect = effectOf(this.#state);
    if (effect === null) return;
    this.#occupy(this.#perform(this.#state, effect));
  }

  async #perform(before: RunState, effect: Effect): Promise<void> {
    const { round, checkpoint } = before.base;
    try {
      if (effect.kind === "reduce") {
        // The new checkpoint is complete in storage before the pointer moves. The report applies to what is stored by then.
        const base = await nextCheckpoint(this.env.ARTIFACTS, before);
        this.#save(reduced(this.#begun(), checkpoint, base, Date.now()));
      } else {
        const base = await putCheckpoint(this.env.ARTIFACTS, before.spec, { ...effect.to, lrScale: effect.lrScale });
        console.warn(`run ${before.spec.run}, round ${round}: back to round ${base.round}: ${effect.reason}`);
        this.#closed = true;
        this.#save(rolledBack(this.#begun(), checkpoint, base, effect.reason));
      }
      const swept = this.#sweep(before);
      if (effect.kind === "roll-back") await swept;
      this.ctx.waitUntil(this.#hint(before.spec));
    } catch (error) {
      if (error instanceof BadDelta) {
        console.warn(error.message);
        this.#save(reissue(this.#begun(), checkpoint, error.shard, "bad-delta", Date.now()));
        this.#wake();
      } else if (isDamage(error)) {
        console.error(`run ${before.spec.run}, round ${round}: damaged: ${(error as Error).message}`);
        this.#save(damaged(this.#begun(), checkpoint, (error as Error).message));
        this.#wake();
      } else console.error(`run ${before.spec.run}, round ${round}: ${(error as Error).message}; tried again at the next call or alarm`);
    } finally {
      if (this.#closed) {
        this.#closed = false;
        this.#wake();
      }
    }
  }

  /** Deletes what a step has made useless: the updates, and the objects of checkpoints that are no longer kept. What fails becomes orphans. */
  #sweep(before: RunState): Promise<void> {
    const useless = uselessKeys(before, this.#begun());
    const swept = this.#inTurn(() => deleteObjects(this.env.ARTIFACTS, useless)).catch((error: Error) =>
      console.warn(`run ${before.spec.run}: ${useless.length} objects left to garbage collection: ${error.message}`),
    );
    this.ctx.waitUntil(swept);
    return swept;
  }

  /** Sets the alarm, in one transaction with what was stored just before, and tells trainers that there is work, if there is. */
  async #rouse(): Promise<void> {
    const state = this.#begun();
    if (isOver(state)) return;
    await this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
    if (!state.paused) await this.#hint(state.spec);
  }

  /** One message per shard; in production each starts a trainer. A queue that refuses them spoils nothing: the alarm comes again. */
  async #hint({ run, training }: RunSpec): Promise<void> {
    if (Date.now() - this.#hintedAt < HINT_MS) return;
    this.#hintedAt = Date.now();
    try {
      for (let left = training.shards; left > 0; left -= MAX_BATCH_MESSAGES) {
        const size = Math.min(left, MAX_BATCH_MESSAGES);
        await this.env.STEPS.sendBatch(Array.from({ length: size }, () => ({ body: { run } })));
      }
    } catch (error) {
      console.warn(`run ${run}: no hint to trainers: ${(error as Error).message}; tried again at the next alarm`);
    }
  }

  override async alarm(): Promise<void> {
    if (this.#state === null || isOver(this.#state) || this.#failure() !== null) return;
    try {
      this.#advance();
    } catch (error) {
      console.error(`alarm: ${(error as Error).message}`);
    }
    await this.#rouse();
  }

  async status(): Promise<RunStatus | null> {
    const record = this.#store.read<Preparation>("record");
    const state = this.#state;
    if (record === null && state === null) return null;
    if (state !== null) this.#dataset ??= await getJson(this.env.ARTIFACTS, "dataset", state.spec.dataset, datasetSchema);
    return statusOf(record, state, this.#store.rounds(), this.#store.evaluations(), this.#dataset, Date.now());
  }
}
