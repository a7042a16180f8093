/** Computing time on a clock like a Worker's: it stands still while code runs and is set right by each transfer or timer. */
import * as tf from "@tensorflow/tfjs-core";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { canonicalJson, type Hash } from "../../../shared/artifacts.ts";
import { presetOf } from "../../../shared/config.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { sha256 } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { encodeTokenShard } from "../../../shared/tokenizer/token-shard.ts";
import type { TrainTask } from "../../../shared/training/protocol/task.ts";
import { computeTask } from "../../../workers/trainer/compute-task.ts";
import { ObjectCache } from "../../../workers/trainer/object-cache.ts";
import type { ObjectSource } from "../../../workers/trainer/object-source.ts";

beforeAll(startBackend);
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const NONE = "0".repeat(64);
const MODEL = { ...presetOf("tiny").model, vocabSize: 300 };
/** The time of each write. It is far longer than the computing, so a transfer that counts as computing is noticed. */
const WRITE_MS = 500;

/** A clock that only transfers and timers move, and objects in memory with slow writes. */
async function scene(steps: number) {
  const real = performance.now.bind(performance);
  const realTimeout = setTimeout;
  let shown = real();
  vi.spyOn(performance, "now").mockImplementation(() => shown);
  const after = (ms: number) => new Promise<void>((resolve) => realTimeout(() => ((shown = real()), resolve()), ms));
  vi.stubGlobal("setTimeout", (done: () => void, ms: number) => void after(ms).then(done));
  const objects = new Map<Hash, Uint8Array<ArrayBuffer>>();
  const put = async (bytes: Uint8Array<ArrayBuffer>) => {
    const hash = await sha256(bytes);
    objects.set(hash, bytes);
    return hash;
  };
  const source: ObjectSource = {
    read: async (_, hash) => (await after(0), objects.get(hash)!),
    readPart: async (hash) => (await after(0), { bytes: objects.get(hash)!.slice(), isInBuffer: false }),
    writePart: async (bytes) => (await after(WRITE_MS), put(bytes)),
  };
  const tensors = initWeights(MODEL, 1);
  const weights = await Promise.all([...encodeParts(MODEL, tensors)].map((bytes) => put(new Uint8Array(bytes))));
  tf.dispose(tensors);
  const tokens = Uint16Array.from({ length: 5000 }, (_, index) => (index * 7) % MODEL.vocabSize);
  const side = [{ hash: await put(encodeTokenShard(tokens)), tokens: tokens.length }];
  const sizes = { trainTokens: 5000, valTokens: 5000, valBytes: 300, documents: 3, unigramLoss: 4 };
  const json = canonicalJson({ format: 1, tokenizer: NONE, vocabSize: MODEL.vocabSize, train: side, val: side, ...sizes });
  const dataset = await put(new Uint8Array(new TextEncoder().encode(json)));
  const training = { ...presetOf("tiny").training, seed: 1, tokens: 100_000, batch: 32, shards: 1, steps };
  const common = { run: "r", round: 0, shard: 0, base: NONE, weights, inner: null, dataset, model: MODEL, lrScale: 1 };
  const task: TrainTask = { kind: "train", ...common, training };
  return { lease: { id: "l", task, expiresAt: 0 }, objects: new ObjectCache(source), real };
}

test.each([
  ["an exact task", 1],
  ["a task of local steps", 3],
])("%s reports its computing time, without transfers", async (_, steps) => {
  const { lease, objects, real } = await scene(steps);
  const startedAt = real();
  const { computeMs } = await computeTask(lease, "t", objects);
  const total = real() - startedAt;
  expect(total).toBeGreaterThan(WRITE_MS);
  expect(computeMs).toBeGreaterThan((total - WRITE_MS) / 2);
  expect(computeMs).toBeLessThanOrEqual(total - WRITE_MS + 1);
});
