/**
 * A work session: lease a task, compute it, submit it, until nothing was to be had for a while or the session has done
 * its share. An error ends only its task; the lease expires and another trainer redoes it with the same bits.
 */
// oxlint-disable no-console -- the log that `wrangler tail` shows; nobody waits for these errors.
import * as tf from "@tensorflow/tfjs-core";
import { datasetSchema, type Dataset, type TokenShardEntry } from "../../shared/artifacts.ts";
import { compress, RESIDUAL } from "../../shared/model/compression.ts";
import { parameterOf, splitByPart } from "../../shared/model/partition.ts";
import { decodeSafetensors, encodeSafetensors, type NamedArray, type Values } from "../../shared/model/safetensors.ts";
import { tensorsOf } from "../../shared/model/weights-file.ts";
import { startBackend } from "../../shared/tensor/backend.ts";
import { decodeTokenShard } from "../../shared/tokenizer/token-shard.ts";
import type { EvaluateResult, EvaluateTask, Parts, Task, TaskResult, TrainResult, TrainTask } from "../../shared/training/task.ts";
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
/** All isolates of one Worker share its name; who is trusted is decided for each. Random values exist only inside requests. */
let isolate: string | null = null;

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

/** A shard's state as it is stored: the local optimizer's tensors, and the rounding errors of earlier updates. */
async function readInner(
  task: TrainTask,
  objects: ObjectCache,
): Promise<{ optimizer: NamedArray[] | null; residuals: Record<string, Float32Array> }> {
  if (task.inner === null) return { optimizer: null, residuals: {} };
  const arrays = await readArrays(task.inner, task.run, objects);
  const residuals = arrays.filter(({ name }) => name.endsWith(RESIDUAL));
  const slots = arrays.filter(({ name }) => !name.endsWith(RESIDUAL));
  return {
    optimizer: slots.length === 0 ? null : slots,
    residuals: Object.fromEntries(residuals.map(({ name, data }) => [parameterOf(name), data])),
  };
}

/** The tensors of all parts, as views on the bytes; one that is in every part (`step`) comes once. */
async function readArrays(parts: Parts, run: string, objects: ObjectCache): Promise<NamedArray[]> {
  const arrays = (await objects.readParts(parts, run)).flatMap((bytes) => decodeSafetensors(bytes));
  return [...new Map(arrays.map((array) => [array.name, array])).values()];
}

/** Writes named values part by part. */
async function writeParts(
  task: TrainTask,
  arrays: readonly NamedArray<Values>[],
  objects: ObjectCache,
): Promise<{ parts: Parts; bytes: number }> {
  const written: { parts: Parts; bytes: number } = { parts: [], bytes: 0 };
  for (const part of splitByPart(task.model, Object.fromEntries(arrays.map((array) => [array.name, array])))) {
    const bytes = encodeSafetensors(Object.values(part));
    written.parts.push(await objects.writePart(bytes, task.run));
    written.bytes += bytes.byteLength;
  }
  return written;
}

async function train(task: TrainTask, dataset: Dataset, objects: ObjectCache): Promise<TrainResult> {
  const base = await readArrays(task.weights, task.run, objects);
  const inner = await readInner(task, objects);
  const outcome = await runTrainTask(task, base, inner.optimizer, dataset.trainTokens, tokenReader(dataset.train, objects));
  const { arrays, residuals } = compress(outcome.delta, inner.residuals, task.training.compression);
  const state = [...(outcome.inner ?? []), ...residuals];
  const delta = await writeParts(task, arrays, objects);
  const kept = state.length === 0 ? null : await writeParts(task, state, objects);
  const { loss, sequences, tokens } = outcome;
  return {
    kind: "train",
    delta: delta.parts,
    inner: kept?.parts ?? null,
    loss,
    sequences,
    tokens,
    deltaBytes: delta.bytes,
    innerBytes: kept?.bytes ?? 0,
  };
}

async function evaluate(task: EvaluateTask, dataset: Dataset, objects: ObjectCache): Promise<EvaluateResult> {
  const weights = tensorsOf(await readArrays(task.weights, task.run, objects));
  try {
    return { kind: "evaluate", ...(await runEvaluateTask(task, weights, dataset.valTokens, tokenReader(dataset.val, objects))) };
  } finally {
    tf.dispose(weights);
  }
}

/** The result of a task, and the tokens that were computed for it. */
async function compute(task: Task, objects: ObjectCache): Promise<{ result: TaskResult; tokens: number }> {
  const dataset = datasetSchema.parse(JSON.parse(new TextDecoder().decode(await objects.read("dataset", task.dataset))));
  if (task.kind === "evaluate") {
    const result = await evaluate(task, dataset, objects);
    return { result, tokens: result.targets };
  }
  const result = await train(task, dataset, objects);
  return { result, tokens: result.tokens };
}

/** Works and returns how many tasks were submitted. */
export async function work(env: TrainerEnv, run?: string): Promise<number> {
  await startBackend();
  cache ??= new ObjectCache(env.COORDINATOR);
  isolate ??= crypto.randomUUID().slice(0, 8);
  const trainer = `${env.TRAINER_NAME}-${isolate}`;
  let tasks = 0;
  let tokens = 0;
  let idle = 0;
  let failures = 0;
  while (idle < MAX_IDLE_POLLS && tokens < SESSION_TOKENS && failures < MAX_FAILURES) {
    const lease = await env.COORDINATOR.lease({ trainer, ...(run === undefined ? {} : { run }) }).catch((error: Error) => {
      // The coordinator may be restarting; the session waits for it as it waits for work.
      console.warn(`no lease: ${error.message}`);
      return null;
    });
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
      const done = await compute(task, cache);
      tokens += done.tokens;
      const reply = await env.COORDINATOR.submit({
        lease: lease.id,
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
