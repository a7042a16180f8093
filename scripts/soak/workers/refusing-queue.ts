/** A training run without trainers. Its queue refuses the first messages, so only the run's alarm can announce its work. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { presetOf, supervisionConfigSchema } from "../../../shared/config.ts";
import { totalRounds } from "../../../shared/training/compute/rounds.ts";
// oxlint-disable no-restricted-imports -- the proof runs the real objects of the coordinator beside a queue of its own.
import { Run } from "../../../workers/coordinator/run-object.ts";
import { rouseRuns } from "../../../workers/coordinator/runs.ts";

export { Ledger } from "../../../workers/coordinator/ledger.ts";
export { Registry } from "../../../workers/coordinator/registry.ts";

const RUN = "refused";
const NO_OBJECT = "0".repeat(64);

export interface Hints {
  refused: number;
  sent: number;
  /** The next alarm in milliseconds since 1970; null if none is set. */
  nextAlarm: number | null;
}

/** The Worker's RPC methods. */
export type RefusingQueueCalls = Pick<RefusingQueue, "begin" | "loseAlarm" | "setAlarm" | "rouseRuns" | "hints">;

const read = ({ kv }: DurableObjectStorage, name: string) => kv.get<number>(name) ?? 0;

interface Env extends Omit<CoordinatorEnv, "RUN"> {
  RUN: DurableObjectNamespace<RefusedRun>;
}

export class RefusedRun extends Run {
  constructor(ctx: DurableObjectState, env: CoordinatorEnv) {
    const { storage } = ctx;
    const count = (name: string) => storage.kv.put(name, read(storage, name) + 1);
    const sendBatch = async () => {
      if (read(storage, "refused") >= read(storage, "refusals")) return count("sent");
      count("refused");
      throw new Error("the queue refuses");
    };
    super(ctx, { ...env, STEPS: { sendBatch } as unknown as Queue });
  }

  async refuse(refusals: number): Promise<void> {
    this.ctx.storage.kv.put("refusals", refusals);
  }

  /** Deletes the alarm, as if the process had died before it set the alarm. */
  async loseAlarm(): Promise<void> {
    await this.ctx.storage.deleteAlarm();
  }

  async setAlarm(time: number): Promise<void> {
    await this.ctx.storage.setAlarm(time);
  }

  async hints(): Promise<Hints> {
    const { storage } = this.ctx;
    return { refused: read(storage, "refused"), sent: read(storage, "sent"), nextAlarm: await storage.getAlarm() };
  }
}

export default class RefusingQueue extends WorkerEntrypoint<Env> {
  /** Begins the run. Its first `refusals` messages are refused. */
  async begin(refusals: number): Promise<void> {
    const { model: shape, training } = presetOf("tiny");
    const model = { ...shape, vocabSize: 300 };
    const whole = { ...training, seed: 1, tokens: 10_000 };
    const run = this.env.RUN.getByName(RUN);
    await run.refuse(refusals);
    await this.env.REGISTRY.getByName("registry").addRun(RUN);
    await run.begin({
      run: RUN,
      preset: "tiny",
      dataset: NO_OBJECT,
      tokenizer: NO_OBJECT,
      model,
      training: whole,
      supervision: supervisionConfigSchema.parse({}),
      rounds: totalRounds(whole, model),
    });
  }

  loseAlarm(): Promise<void> {
    return this.env.RUN.getByName(RUN).loseAlarm();
  }

  /** Sets the alarm to a time in milliseconds since 1970. */
  setAlarm(time: number): Promise<void> {
    return this.env.RUN.getByName(RUN).setAlarm(time);
  }

  /** Does the same as the coordinator's cron. */
  rouseRuns(): Promise<void> {
    return rouseRuns(this.env as unknown as CoordinatorEnv);
  }

  hints(): Promise<Hints> {
    return this.env.RUN.getByName(RUN).hints();
  }
}
