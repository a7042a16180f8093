/**
 * A work session: lease a task, compute it, submit it, until there is no work for a while or the session's time is used. An
 * error ends only its task; the lease expires and another trainer computes the task again with the same bits.
 */
// oxlint-disable no-console -- the log that `wrangler tail` shows; no caller sees these errors.
import * as tf from "@tensorflow/tfjs-core";
import { datasetSchema, type Dataset, type TokenShardEntry } from "../../shared/artifacts.ts";
import { MAX_CPU_SECONDS, MAX_ISOLATE_BYTES, MAX_SUBREQUESTS } from "../../shared/limits.ts";
import { checkMemory } from "../../shared/model/footprint/memory.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import type { EvaluateResult, EvaluateTask, Task, TaskResult, TrainResult, TrainTask } from "../../shared/training/protocol/task.ts";
import type { Stream } from "../../shared/training/compute/examples.ts";
import { planTask } from "../../shared/training/compute/plan-task.ts";
import { runEvaluateTask, runTrainTask } from "../../shared/training/compute/run-task.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";
import { checkKind } from "../../shared/training/objectives/objective.ts";
import { ObjectCache } from "./object-cache.ts";
import { readWeights, StoredParts } from "./stored-parts.ts";

/** Empty answers in a row before a session ends, and the wait between them. */
const MAX_IDLE_POLLS = 20;
const IDLE_POLL_MS = 100;
/**
 * Time in which a session takes tasks. The clock stands still while a Worker computes and is right again after an answer of the
 * coordinator, so at each lease at most as much CPU time is used as time has passed. The other half is left for the last task.
 * A queue's consumer may take several times as long in all (MAX_CONSUMER_SECONDS).
 */
const SESSION_MS = (MAX_CPU_SECONDS * 1000) / 2;
/** Leases of a session: a lease, its submission and the parts of its task are about ten requests. */
const MAX_LEASES = MAX_SUBREQUESTS / 10;
const MAX_FAILURES = 3;

let cache: ObjectCache | null = null;
/** Tells isolates of one Worker apart: trust is decided for each of them. Set in a request, where random values exist. */
let isolate: string | null = null;

/** The training or the validation side of a dataset, read from its token shards. */
function streamOf(shards: readonly TokenShardEntry[], length: number, objects: ObjectCache): Stream {
  async function read(first: number, end: number): Promise<Uint16Array> {
    const numbers = new Uint16Array(end - first);
    let start = 0;
    for (const shard of shards) {
      const [from, to] = [Math.max(first, start), Math.min(end, start + shard.tokens)];
      if (from < to) {
        const bytes = await objects.read("token-shard", shard.hash);
        numbers.set(decodeTokenShard(bytes.subarray((from - start) * 2, (to - start) * 2)), from - first);
      }
      start += shard.tokens;
    }
    if (end > start) throw new Error(`tokens: expected at least ${end}, the dataset has ${start}`);
    return numbers;
  }
  return { length, read };
}

async function train(task: TrainTask, dataset: Dataset, objects: ObjectCache): Promise<{ result: TrainResult; computeMs: number }> {
  const plan = planTask(task);
  checkMemory(plan.memory);
  objects.limit(MAX_ISOLATE_BYTES - plan.memory.total, plan.partBytes);
  const parts = new StoredParts(task, objects);
  const startedAt = performance.now();
  const { loss, sequences, tokens } = await runTrainTask(task, plan, parts, streamOf(dataset.train, dataset.trainTokens, objects));
  const computeMs = Math.max(0, performance.now() - startedAt - parts.transferMs());
  return { result: { kind: "train", loss, sequences, tokens, ...(await parts.written()) }, computeMs };
}

async function evaluate(task: EvaluateTask, dataset: Dataset, objects: ObjectCache): Promise<EvaluateResult> {
  const weights: Weights = {};
  try {
    await readWeights(task, objects, weights);
    return { kind: "evaluate", ...(await runEvaluateTask(task, weights, streamOf(dataset.val, dataset.valTokens, objects))) };
  } finally {
    tf.dispose(weights);
  }
}

/** The result of a task and the milliseconds of training. */
async function compute(task: Task, objects: ObjectCache): Promise<{ result: TaskResult; computeMs: number }> {
  const dataset = datasetSchema.parse(JSON.parse(new TextDecoder().decode(await objects.read("dataset", task.dataset))));
  checkKind(objectiveOf(task.kind === "train" ? task.training : task), dataset);
  return task.kind === "train" ? train(task, dataset, objects) : { result: await evaluate(task, dataset, objects), computeMs: 0 };
}

/** Works and returns how many tasks were submitted. */
export async function work(env: TrainerEnv): Promise<number> {
  const startedAt = Date.now();
  await startBackend();
  cache ??= new ObjectCache(env.COORDINATOR);
  isolate ??= crypto.randomUUID().slice(0, 8);
  const trainer = `${env.TRAINER_NAME}-${isolate}`;
  let tasks = 0;
  let idle = 0;
  let failures = 0;
  /** The run of the last task, asked first for the next one. */
  let run: string | undefined;
  for (let leases = 0; leases < MAX_LEASES && Date.now() - startedAt < SESSION_MS; leases++) {
    if (idle === MAX_IDLE_POLLS || failures === MAX_FAILURES) break;
    const lease = await env.COORDINATOR.lease({ trainer, ...(run === undefined ? {} : { run }) }).catch((error: Error) => {
      // The coordinator may be restarting; the session waits for it as it waits for work.
      console.warn(`no lease: ${error.message}`);
      return null;
    });
    run = lease?.task.run;
    if (lease === null) {
      idle++;
      await scheduler.wait(IDLE_POLL_MS);
      continue;
    }
    idle = 0;
    const { task } = lease;
    try {
      const done = await compute(task, cache);
      const reply = await env.COORDINATOR.submit({
        lease: lease.id,
        computeMs: done.computeMs,
        trainer,
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
