/**
 * Trainer: stateless compute. Each message of the `steps` queue stands for one task. The trainer processes of a local Tiffin have
 * no queue; there POST /work starts a work loop.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Hash, TokenShardEntry } from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { wasmBytes } from "../../shared/tensor/engine/backend.ts";
import { isWorkLoop, oneAtATime } from "./isolate.ts";
import { countWins, earlierDataset, measureHeldOut, referenceShard, type EarlierDataset, type HeldOut } from "./measure.ts";
import { takeMessage } from "./queue-task.ts";
import { work } from "./work-session.ts";

/** Runs `measure` while no task is computed in this isolate: both together would need too much memory. */
async function inTurn<T>(measure: () => Promise<T>): Promise<T> {
  const result = await oneAtATime(async () => ({ value: await measure() }));
  if (result === null) throw namedError("Busy", "the trainer works on a task: try again in a few seconds");
  return result.value;
}

export default class Trainer extends WorkerEntrypoint<TrainerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** A shard of pairs with the log-probabilities of a model. Throws Busy while this isolate works on a task. */
  referenceShard(model: Hash, shard: TokenShardEntry): Promise<TokenShardEntry> {
    return inTurn(() => referenceShard(this.env, model, shard));
  }

  /** The held-out pairs of a dataset, and those that a model wins against the reference of the dataset. Throws Busy. */
  countWins(model: Hash, dataset: Hash): Promise<{ pairs: number; wins: number }> {
    return inTurn(() => countWins(this.env, model, dataset));
  }

  /** The dataset that a model has learned, if its held-out examples can be measured. */
  earlierDataset(model: Hash): Promise<EarlierDataset | null> {
    return earlierDataset(this.env, model);
  }

  /** The loss of a model on held-out examples, and which lessons among them it answers word for word. Throws Busy. */
  measureHeldOut(model: Hash, dataset: Hash, objective: EarlierDataset["objective"]): Promise<HeldOut> {
    return inTurn(() => measureHeldOut(this.env, model, dataset, objective));
  }

  override async queue(batch: MessageBatch<{ run: string }>): Promise<void> {
    for (const message of batch.messages) await takeMessage(this.env, message);
  }

  /**
   * Answers POST /work in the trainer processes of a local Tiffin, with the number of submitted tasks. No public route leads
   * here.
   */
  override async fetch(request: Request): Promise<Response> {
    const isAsked = request.method === "POST" && new URL(request.url).pathname === "/work";
    if (!isAsked || !isWorkLoop(this.env)) return new Response("not found", { status: 404 });
    const tasks = (await oneAtATime((turn) => work(this.env, turn))) ?? 0;
    return Response.json({ tasks, wasmBytes: wasmBytes() });
  }
}
