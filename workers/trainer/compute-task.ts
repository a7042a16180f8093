/** Computes one leased task: reads the named objects, runs the task (shared/training/compute), and stores the update. */
import * as tf from "@tensorflow/tfjs-core";
import { datasetSchema, type Dataset, type TokenShardEntry } from "../../shared/artifacts.ts";
import { MAX_ISOLATE_BYTES } from "../../shared/limits.ts";
import { checkMemory } from "../../shared/model/footprint/memory.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { parseJson } from "../../shared/store.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import type { Stream } from "../../shared/training/compute/examples.ts";
import { planTask } from "../../shared/training/compute/plan-task.ts";
import { runEvaluateTask, runTrainTask } from "../../shared/training/compute/run-task.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";
import { checkKind } from "../../shared/training/objectives/objective.ts";
import type {
  EvaluateResult,
  EvaluateTask,
  Lease,
  Submission,
  Task,
  TaskResult,
  TrainResult,
  TrainTask,
} from "../../shared/training/protocol/task.ts";
import type { ObjectCache } from "./object-cache.ts";
import { readWeights, StoredParts } from "./stored-parts.ts";

/** One side of a dataset (train or validation) as a stream of tokens from its shards. */
export function streamOf(shards: readonly TokenShardEntry[], length: number, objects: ObjectCache): Stream {
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

interface Computed {
  result: TaskResult;
  /** Milliseconds of computing, without transfers. */
  computeMs: number;
}

async function train(task: TrainTask, dataset: Dataset, objects: ObjectCache): Promise<Computed> {
  const plan = planTask(task);
  checkMemory(plan.memory);
  objects.limit(MAX_ISOLATE_BYTES - plan.memory.total, plan.partBytes);
  const parts = new StoredParts(task, objects);
  const startedAt = performance.now();
  const { loss, sequences, tokens } = await runTrainTask(task, plan, parts, streamOf(dataset.train, dataset.trainTokens, objects));
  const result: TrainResult = { kind: "train", loss, sequences, tokens, ...(await parts.written()) };
  // The time is read after the last transfer, because a Worker's clock stands still while it computes and is set right by each
  // transfer.
  return { result, computeMs: Math.max(0, performance.now() - startedAt - parts.transferMs()) };
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

async function compute(task: Task, objects: ObjectCache): Promise<Computed> {
  const dataset = parseJson(await objects.read("dataset", task.dataset), datasetSchema);
  checkKind(objectiveOf(task.kind === "train" ? task.training : task), dataset, task.model);
  return task.kind === "train" ? train(task, dataset, objects) : { result: await evaluate(task, dataset, objects), computeMs: 0 };
}

/** The result of a leased task as it is submitted. */
export async function computeTask({ id, task }: Lease, trainer: string, objects: ObjectCache): Promise<Submission> {
  const { result, computeMs } = await compute(task, objects);
  const { run, round, shard, base } = task;
  return { lease: id, computeMs, trainer, run, round, shard, base, result };
}
