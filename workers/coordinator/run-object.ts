/**
 * One Run object is one training run. It persists the reducer's state and performs its effects: reductions, queue hints,
 * clean-up. All progress hangs on the stored state: whoever asks next, a trainer or the alarm, sets the work going again.
 */
// oxlint-disable no-console -- the log that `wrangler tail` shows; nobody waits for these errors.
import { DurableObject } from "cloudflare:workers";
import { objectKey, type Dataset, type Hash } from "../../shared/artifacts.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { datasetSchema } from "../../shared/artifacts.ts";
import { getJson } from "../../shared/store.ts";
import type { Lease, Submission, SubmissionReply, TrainResult } from "../../shared/training/task.ts";
import { tokensPerRound } from "../../shared/training/rounds.ts";
import { BadDelta, firstCheckpoint, nextCheckpoint } from "./reduce.ts";
import {
  evaluated,
  initialState,
  isOver,
  isRoundComplete,
  lease,
  reduced,
  reissue,
  restarted,
  submit,
  type Base,
  type RunSpec,
  type RunState,
} from "./run.ts";
import type { RunStatus } from "./status.ts";

/** The alarm only matters when every message and every trainer is lost. */
const ALARM_MS = 15_000;
/** Hints are sent no more often: trainers at work ask by themselves, and unread messages pile up. */
const HINT_MS = 5_000;
/** Rounds over which the rate is measured. */
const RATE_ROUNDS = 8;
const MAX_LOSSES_SHOWN = 200;

/** What is known before and beside the reducer's state. */
interface Preparation {
  id: string;
  stage: string;
  progress: { stage: string; done: number; total: number };
  error: string | null;
}

/** The keys of the objects of a checkpoint. */
function keysOf({ checkpoint, weights, outer, inner }: Base): string[] {
  const states = [outer, ...inner].filter((hash) => hash !== null);
  return [objectKey("checkpoint", checkpoint), objectKey("weights", weights), ...states.map((hash) => objectKey("optimizer", hash))];
}

function hashesOf({ checkpoint, weights, outer, inner }: Base): Hash[] {
  return [checkpoint, weights, outer, ...inner].filter((hash) => hash !== null);
}

export class Run extends DurableObject<CoordinatorEnv> {
  #reducing: Promise<void> | null = null;
  #hintedAt = 0;

  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, json TEXT NOT NULL)");
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS rounds (round INTEGER PRIMARY KEY, loss REAL NOT NULL, committed_at INTEGER NOT NULL)",
    );
    const state = this.#read<RunState>("state");
    if (state !== null) this.#write("state", restarted(state));
  }

  #read<T>(name: string): T | null {
    const row = this.ctx.storage.sql.exec<{ json: string }>("SELECT json FROM kept WHERE name = ?", name).toArray()[0];
    return row === undefined ? null : (JSON.parse(row.json) as T);
  }

  #write(name: string, value: unknown): void {
    this.ctx.storage.sql.exec(
      "INSERT INTO kept VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET json = excluded.json",
      name,
      JSON.stringify(value),
    );
  }

  /** The Workflow's report before training: which stage it is at. */
  async prepare(id: string, progress: Preparation["progress"]): Promise<void> {
    this.#write("record", { id, stage: progress.stage, progress, error: null } satisfies Preparation);
  }

  async fail(id: string, message: string): Promise<void> {
    this.#write("record", { id, stage: "failed", progress: { stage: "failed", done: 0, total: 0 }, error: message } satisfies Preparation);
  }

  /** Begins training; a second call with the run under way changes nothing. */
  async begin(spec: RunSpec): Promise<void> {
    if (this.#read("state") !== null) return;
    const { training } = spec;
    if (training.steps === 1 && training.shards > training.batch)
      throw Object.assign(new Error(`shards: expected at most ${training.batch}, one sequence each, got ${training.shards}`), {
        name: "InvalidInput",
      });
    const base = await this.#held(spec.run, () => firstCheckpoint(this.env.ARTIFACTS, spec));
    // Another call may have begun while the first checkpoint was written: it is the same one.
    if (this.#read("state") === null) this.#write("state", initialState(spec, base));
    await this.#hint(spec);
    await this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
  }

  async lease(trainer: string): Promise<Lease | null> {
    const state = this.#read<RunState>("state");
    if (state === null || this.#read<Preparation>("record")?.error) return null;
    this.#advance(state);
    const result = lease(state, trainer, crypto.randomUUID(), Date.now());
    if (result.lease !== null) this.#write("state", result.state);
    return result.lease;
  }

  async submit(submission: Submission): Promise<SubmissionReply> {
    const state = this.#read<RunState>("state");
    if (state === null) return { accepted: false, reason: "not-started" };
    const result = submit(state, submission);
    this.#write("state", result.state);
    this.#advance(result.state);
    // The submitter's next question is answered from the next round, not from this one.
    if (this.#reducing !== null) await this.#reducing;
    return result.reply;
  }

  async isActive(): Promise<boolean> {
    const state = this.#read<RunState>("state");
    return state !== null && !isOver(state) && !this.#read<Preparation>("record")?.error;
  }

  /** Sets a reduction going when the round is complete; at most one at a time. */
  #advance(state: RunState): void {
    if (this.#reducing !== null || !isRoundComplete(state)) return;
    this.#reducing = this.#finishRound(state).finally(() => {
      this.#reducing = null;
    });
    this.ctx.waitUntil(this.#reducing);
  }

  async #finishRound(state: RunState): Promise<void> {
    if (state.phase === "evaluating") {
      this.#write("state", evaluated(state));
      return;
    }
    try {
      const base = await this.#held(state.spec.run, () => nextCheckpoint(this.env.ARTIFACTS, state));
      // Submissions may have come in meanwhile (duplicates): the event applies to what is stored now.
      const current = this.#read<RunState>("state")!;
      const next = reduced(current, state.round, base);
      if (next === current) return;
      const results = state.results as TrainResult[];
      const loss =
        results.reduce((sum, result) => sum + result.loss * result.sequences, 0) /
        results.reduce((sum, result) => sum + result.sequences, 0);
      this.#write("state", next);
      this.ctx.storage.sql.exec("INSERT OR REPLACE INTO rounds VALUES (?, ?, ?)", state.round, loss, Date.now());
      await this.#sweep(state.base, results, base);
      await this.#hint(next.spec);
    } catch (error) {
      if (error instanceof BadDelta) {
        console.warn(error.message);
        this.#write("state", reissue(this.#read<RunState>("state")!, state.round, error.shard, "bad-delta"));
      } else
        console.error(`run ${state.spec.run}, round ${state.round}: ${(error as Error).message}; tried again at the next call or alarm`);
    }
  }

  /** Makes a checkpoint and claims its objects. Made again if another run deleted one between the write and the claim. */
  async #held(run: string, make: () => Promise<Base>): Promise<Base> {
    for (;;) {
      const base = await make();
      await this.env.REGISTRY.getByName("registry").hold(run, hashesOf(base));
      const heads = await Promise.all(keysOf(base).map((key) => this.env.ARTIFACTS.head(key)));
      if (heads.every((head) => head !== null)) return base;
    }
  }

  /** Deletes what the new checkpoint has made useless: the deltas, and the objects that only the old one named. */
  async #sweep(old: Base, results: readonly TrainResult[], kept: Base): Promise<void> {
    const keep = new Set(hashesOf(kept));
    const run = this.#read<RunState>("state")!.spec.run;
    const free = await this.env.REGISTRY.getByName("registry").release(
      run,
      hashesOf(old).filter((hash) => !keep.has(hash)),
    );
    const keys = keysOf(old).filter((key) => free.some((hash) => key.includes(hash)));
    await this.env.ARTIFACTS.delete([...results.map((result) => objectKey("delta", result.delta)), ...keys]);
  }

  /** One message per shard; in production each starts a trainer. */
  async #hint(spec: RunSpec): Promise<void> {
    if (Date.now() - this.#hintedAt < HINT_MS) return;
    this.#hintedAt = Date.now();
    await this.env.STEPS.sendBatch(Array.from({ length: spec.training.shards }, () => ({ body: { run: spec.run } })));
  }

  override async alarm(): Promise<void> {
    try {
      const state = this.#read<RunState>("state");
      if (state === null || isOver(state) || this.#read<Preparation>("record")?.error) return;
      this.#advance(state);
      await this.#hint(state.spec);
    } catch (error) {
      console.error(`alarm: ${(error as Error).message}`);
    }
    await this.ctx.storage.setAlarm(Date.now() + ALARM_MS);
  }

  async status(): Promise<RunStatus | null> {
    const record = this.#read<Preparation>("record");
    const state = this.#read<RunState>("state");
    if (record === null && state === null) return null;
    const rounds = this.ctx.storage.sql
      .exec<{ round: number; loss: number; committed_at: number }>("SELECT * FROM rounds ORDER BY round")
      .toArray();
    const dataset: Dataset | null = state === null ? null : await getJson(this.env.ARTIFACTS, "dataset", state.spec.dataset, datasetSchema);
    const recent = rounds.slice(-RATE_ROUNDS - 1);
    const span = recent.length > 1 ? (recent.at(-1)!.committed_at - recent[0]!.committed_at) / 1000 : 0;
    const perRound = state === null ? 0 : tokensPerRound(state.spec.training, state.spec.model);
    const rate = span > 0 ? ((recent.length - 1) * perRound) / span : null;
    const every = Math.ceil(rounds.length / MAX_LOSSES_SHOWN);
    const error = record?.error ?? state?.error ?? null;
    const valLoss = state?.valLoss ?? null;
    return {
      id: record?.id ?? state!.spec.run,
      state: error !== null ? "failed" : (state?.phase ?? "preparing"),
      stage: state?.phase ?? record!.stage,
      progress: state === null ? record!.progress : { stage: state.phase, done: state.round, total: state.spec.rounds },
      preset: state?.spec.preset ?? null,
      parameters: state === null ? null : parameterCount(state.spec.model),
      vocabSize: state?.spec.model.vocabSize ?? null,
      shards: state?.spec.training.shards ?? null,
      steps: state?.spec.training.steps ?? null,
      round: state?.round ?? null,
      rounds: state?.spec.rounds ?? null,
      tokens: state?.base.tokens ?? null,
      totalTokens: state === null ? null : perRound * state.spec.rounds,
      tokensPerSecond: rate === null ? null : Math.round(rate),
      secondsLeft: rate === null || state === null ? null : Math.round(((state.spec.rounds - state.round) * perRound) / rate),
      losses: rounds.filter((_, index) => index % every === 0 || index === rounds.length - 1).map(({ round, loss }) => ({ round, loss })),
      firstLoss: rounds[0]?.loss ?? null,
      valLoss,
      unigramLoss: dataset?.unigramLoss ?? null,
      trigramLoss: dataset?.trigramLoss ?? null,
      bitsPerByte:
        valLoss === null || dataset === null || dataset.valBytes === 0
          ? null
          : (valLoss * (dataset.valTokens - 1)) / Math.LN2 / dataset.valBytes,
      checkpoint: state?.base.checkpoint ?? null,
      counts: state?.counts ?? {},
      error,
    };
  }
}
