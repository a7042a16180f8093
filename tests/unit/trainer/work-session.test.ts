/** Sessions of the work loop, against a small coordinator that gives out the tasks that a test defines. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, test, vi } from "vitest";
import { canonicalJson } from "../../../shared/artifacts.ts";
import { presetOf, type ModelConfig } from "../../../shared/config.ts";
import { MAX_SUBREQUESTS } from "../../../shared/limits.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { sha256 } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { encodeTokenShard } from "../../../shared/tokenizer/token-shard.ts";
import type { EvaluateTask, Submission, Task } from "../../../shared/training/protocol/task.ts";
import { Turn } from "../../../workers/trainer/isolate.ts";
import { work } from "../../../workers/trainer/work-session.ts";

/** A model of two parts. */
const MODEL: ModelConfig = { ...presetOf("tiny").model, vocabSize: 17, mlpWidth: 2048, context: 6 };

const objects = new Map<string, Uint8Array>();
const submissions: Submission[] = [];
let requests = 0;
let leases: () => Task;
/**
 * Each task moves the fake clock by this many milliseconds, and nothing else moves it. In production, the clock also stands still
 * while a Worker computes.
 */
let taskMs = 0;
let now = 0;

async function put(bytes: Uint8Array): Promise<string> {
  const hash = await sha256(bytes);
  objects.set(hash, bytes);
  return hash;
}

/** The number of results of calls that are not disposed yet. The runtime keeps memory for each of them. */
let held = 0;
function disposable<T extends object>(result: T): T & Disposable {
  held++;
  return { ...result, [Symbol.dispose]: () => void held-- };
}

const COORDINATOR = {
  lease: async () => {
    requests++;
    return disposable({ id: "lease", task: leases(), expiresAt: 0 });
  },
  readObject: async (kind: string, hash: string) => {
    requests++;
    const bytes = objects.get(hash);
    if (bytes === undefined) throw new Error(`${kind} ${hash}: expected an object, found none`);
    return bytes;
  },
  submit: async (submission: Submission) => {
    requests++;
    submissions.push(submission);
    now += taskMs;
    return disposable({ accepted: true, duplicate: false });
  },
  release: async (...given: unknown[]) => void released.push(given),
};
const released: unknown[] = [];
const ENV = { TRAINER_NAME: "trainer", WORK_LOOP: "on", COORDINATOR } as unknown as TrainerEnv;

async function evaluateTask(model = MODEL): Promise<EvaluateTask> {
  await startBackend();
  const tensors = initWeights(model, 1);
  const weights = await Promise.all([...encodeParts(model, tensors)].map(put));
  tf.dispose(tensors);
  const tokens = Uint16Array.from({ length: 100 }, (_, index) => (index * 7) % model.vocabSize);
  const side = [{ hash: await put(encodeTokenShard(tokens)), tokens: tokens.length }];
  const sizes = { trainTokens: 100, valTokens: 100, valBytes: 300, documents: 3, unigramLoss: 4 };
  const none = "0".repeat(64);
  const dataset = { format: 1, tokenizer: none, vocabSize: model.vocabSize, train: side, val: side, ...sizes };
  const hash = await put(new TextEncoder().encode(canonicalJson(dataset)));
  return {
    kind: "evaluate",
    run: "r",
    round: 0,
    shard: 0,
    shards: 1,
    base: none,
    weights,
    dataset: hash,
    objective: "pretrain",
    model,
    batch: 4,
  };
}

beforeEach(() => {
  submissions.length = 0;
  taskMs = 0;
  now = Date.UTC(2026, 10, 27);
  vi.spyOn(Date, "now").mockImplementation(() => now);
  // A session reports failed tasks here.
  vi.spyOn(console, "error").mockReturnValue();
});

test("an evaluation whose second part is lost leaves no tensors behind", async () => {
  const task = await evaluateTask();
  expect(task.weights).toHaveLength(2);
  const before = tf.memory().numTensors;
  leases = () => ({ ...task, weights: [task.weights[0]!, "f".repeat(64)] });
  expect(await work(ENV, new Turn())).toBe(0);
  expect(tf.memory().numTensors).toBe(before);
});

test("a session gives each task back that fails, so that another trainer gets it at once, and ends after three", async () => {
  const task = await evaluateTask();
  leases = () => ({ ...task, shard: 3, dataset: "f".repeat(64) });
  released.length = 0;
  expect(await work(ENV, new Turn())).toBe(0);
  expect(released).toEqual(Array.from({ length: 3 }, () => ["r", 3, "lease"]));
});

test("a session takes tasks in the first half of an invocation's CPU time, however long they take", async () => {
  const task = await evaluateTask();
  leases = () => task;
  // The tasks start at 0, 60 and 120 of 150 seconds.
  taskMs = 60_000;
  expect(await work(ENV, new Turn())).toBe(3);
  // If the first task takes longer than the limit, it is the only task.
  taskMs = 200_000;
  expect(await work(ENV, new Turn())).toBe(1);
  expect(submissions).toHaveLength(4);
});

test("a session of short tasks stays within an invocation's requests and disposes of their results", async () => {
  const task = { ...(await evaluateTask({ ...MODEL, mlpWidth: 8, layers: 1 })), shards: 25 };
  leases = () => task;
  const before = requests;
  expect(await work(ENV, new Turn())).toBeGreaterThan(500);
  expect(requests - before).toBeLessThan(MAX_SUBREQUESTS);
  expect(held).toBe(0);
});
