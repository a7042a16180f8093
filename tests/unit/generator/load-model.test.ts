/** The costs of loading the active model: memory, and calls of other Workers. An invocation may make only few such calls. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeEach, expect, test, vi } from "vitest";
import { CONFIG, tokenizerJson } from "../../../scripts/bench/support/interchange/random-model.ts";
import { MapBucket } from "../../../scripts/simulation/map-bucket.ts";
import type { ModelConfig } from "../../../shared/config.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { initWeights } from "../../../shared/model/weights.ts";
import { putJson, putObject } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { loadModel } from "../../../workers/generator/load-model.ts";
import { activeModel } from "../../../workers/generator/model.ts";
import "../digest-stream.ts";

const PRESENT = { dataset: "0".repeat(64), round: 0, tokens: 0, lrScale: 1, outer: null, inner: [] };
const bucket = new MapBucket();
const ARTIFACTS = bucket.asBucket();

async function publish(change: Partial<ModelConfig>): Promise<{ model: string; weights: string[] }> {
  await startBackend();
  const model = { ...CONFIG, ...change };
  const tensors = initWeights(model, 1);
  const weights = await Promise.all([...encodeParts(model, tensors)].map((bytes) => putObject(ARTIFACTS, "part", bytes)));
  tf.dispose(tensors);
  const tokenizer = await putJson(ARTIFACTS, "tokenizer", tokenizerJson());
  return { model: await putJson(ARTIFACTS, "checkpoint", { format: 2, model, tokenizer, weights, ...PRESENT }), weights };
}

let now = Date.UTC(2026, 11, 1);
beforeEach(() => {
  vi.spyOn(Date, "now").mockImplementation(() => now);
});

test("a model is loaded with one call of another Worker, whatever its size", async () => {
  const calls: string[] = [];
  let active = "";
  const coordinator = {
    activeModel: async () => ({ model: active, publishedAt: "2026-12-01", [Symbol.dispose]: () => undefined }),
    readObject: async (kind: string, hash: string) => (await ARTIFACTS.get(`${kind}/${hash}`))!.body,
  };
  // Every method that is called is counted, by its name.
  const COORDINATOR = new Proxy(coordinator, {
    get: (target, name, receiver) => {
      calls.push(String(name));
      return Reflect.get(target, name, receiver) as unknown;
    },
  });
  const env = { ARTIFACTS, COORDINATOR, PRECISION: "int8" } as unknown as GeneratorEnv;
  for (const [width, parts] of [
    [16, 1],
    [256, 9],
  ] as const) {
    const { model, weights } = await publish({ width, mlpWidth: 4 * width, layers: 6 });
    expect(weights.length).toBeGreaterThanOrEqual(parts);
    [active, calls.length, bucket.requests] = [model, 0, 0];
    // Every isolate asks again after a minute.
    now += 61_000;
    expect((await activeModel(env)).hash).toBe(model);
    expect(calls).toEqual(["activeModel"]);
    expect(bucket.requests).toBe(weights.length + 2);
  }
});

test("a model whose last part is damaged leaves no tensors behind", async () => {
  const { model, weights } = await publish({ width: 128, mlpWidth: 512, layers: 6 });
  const key = [...bucket.objects.keys()].find((each) => each.includes(weights.at(-1)!))!;
  bucket.objects.set(key, new ArrayBuffer(8));
  const before = tf.memory().numTensors;
  await expect(
    loadModel(
      { ARTIFACTS, PRECISION: "int8" },
      { model, tokenizer: "", run: "r", valLoss: 1, publishedAt: "", active: true, kind: "language" },
    ),
  ).rejects.toThrow(`part ${weights.at(-1)}: expected`);
  expect(tf.memory().numTensors).toBe(before);
});
