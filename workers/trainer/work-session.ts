/**
 * A work session: lease a task, compute it, submit it, until nothing was to be had for a while or the session has done
 * its share. An error ends only its task; the lease expires and another trainer redoes it with the same bits.
 */
// oxlint-disable no-console -- the log that `wrangler tail` shows; nobody waits for these errors.
import * as tf from "@tensorflow/tfjs-core";
import { datasetSchema, type TokenShardEntry } from "../../shared/artifacts.ts";
import { decodeWeights, encodeWeights } from "../../shared/model/weights-file.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { startBackend } from "../../shared/tensor/backend.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import type { Task, TaskResult } from "../../shared/training/task.ts";
import { ObjectCache } from "./object-cache.ts";
import { runEvaluateTask, runTrainTask, type ReadTokens } from "./task.ts";

/** Empty answers in a row before a session ends, and the wait between them. */
const MAX_IDLE_POLLS = 20;
/** Enough for waiting requests to be served; under one per cent of a task. */
const YIELD_MS = 2;
const IDLE_POLL_MS = 100;
/** Tokens per session: at 2,000 tokens per CPU second, the slowest preset's rate, well inside the 300 s of an invocation. */
const SESSION_TOKENS = 400_000;
const MAX_FAILURES = 3;

let cache: ObjectCache | null = null;

function tokenReader(shards: readonly TokenShardEntry[], objects: ObjectCache): ReadTokens {
  return async (first, end) => {
    const tokens = new Uint16Array(end - first);
    let start = 0;
    for (const shard of shards) {
      const [from, to] = [Math.max(first, start), Math.min(end, start + shard.tokens)];
      if (from < to) {
        const bytes = await objects.read("token-shard", shard.hash);
        tokens.set(decodeTokenShard(bytes.subarray((from - start) * 2, (to - start) * 2)), from - first);
      }
      start += shard.tokens;
    }
    if (end > start) throw new Error(`tokens: expected at least ${end}, the dataset has ${start}`);
    return tokens;
  };
}

const stream = (bytes: Uint8Array<ArrayBuffer>) => new Response(bytes).body!;

async function compute(env: TrainerEnv, task: Task, objects: ObjectCache): Promise<{ result: TaskResult; tokens: number }> {
  const startedAt = Date.now();
  const dataset = datasetSchema.parse(JSON.parse(new TextDecoder().decode(await objects.read("dataset", task.dataset))));
  const weights = decodeWeights(await objects.read("weights", task.weights));
  let inner: Weights | null = null;
  try {
    if (task.kind === "evaluate") {
      const score = await runEvaluateTask(task, weights, dataset.valTokens, tokenReader(dataset.val, objects));
      return { result: { kind: "evaluate", ...score, milliseconds: Date.now() - startedAt }, tokens: score.targets };
    }
    inner = task.inner === null ? null : decodeWeights(await objects.read("optimizer", task.inner));
    const outcome = await runTrainTask(task, weights, inner, dataset.trainTokens, tokenReader(dataset.train, objects));
    const [delta, state] = [encodeWeights(outcome.delta), outcome.inner === null ? null : encodeWeights(outcome.inner)];
    tf.dispose([outcome.delta, outcome.inner ?? []]);
    const result: TaskResult = {
      kind: "train",
      delta: await env.COORDINATOR.writeObject("delta", stream(delta)),
      inner: state === null ? null : await env.COORDINATOR.writeObject("optimizer", stream(state)),
      loss: outcome.loss,
      sequences: outcome.sequences,
      tokens: outcome.tokens,
      milliseconds: Date.now() - startedAt,
    };
    return { result, tokens: outcome.tokens };
  } finally {
    tf.dispose([weights, inner ?? []]);
  }
}

/** Works and returns how many tasks were submitted. */
export async function work(env: TrainerEnv, run?: string): Promise<number> {
  await startBackend();
  cache ??= new ObjectCache(env.COORDINATOR);
  let tasks = 0;
  let tokens = 0;
  let idle = 0;
  let failures = 0;
  while (idle < MAX_IDLE_POLLS && tokens < SESSION_TOKENS && failures < MAX_FAILURES) {
    const lease = await env.COORDINATOR.lease({ trainer: env.TRAINER_NAME, ...(run === undefined ? {} : { run }) });
    if (lease === null) {
      idle++;
      await scheduler.wait(IDLE_POLL_MS);
      continue;
    }
    idle = 0;
    // Short tasks would otherwise follow each other without a turn for the requests that wait on the same thread.
    await scheduler.wait(YIELD_MS);
    const { task } = lease;
    try {
      const done = await compute(env, task, cache);
      tokens += done.tokens;
      const reply = await env.COORDINATOR.submit({
        lease: lease.id,
        trainer: env.TRAINER_NAME,
        run: task.run,
        round: task.round,
        shard: task.shard,
        base: task.base,
        result: done.result,
      });
      if (reply.accepted) tasks++;
      else console.warn(`run ${task.run}, round ${task.round}, shard ${task.shard}: refused, ${reply.reason}`);
    } catch (error) {
      failures++;
      console.error(`run ${task.run}, round ${task.round}, shard ${task.shard}: ${(error as Error).stack}`);
    }
  }
  return tasks;
}
