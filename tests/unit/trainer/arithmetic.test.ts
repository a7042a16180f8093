/**
 * Guards the version of the arithmetic. Tiny tasks must have results with the recorded hashes. If a change alters a bit of them,
 * old and new trainers would disagree during a deployment, so the change must raise ARITHMETIC.
 */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { canonicalJson, type DatasetKind, type Hash } from "../../../shared/artifacts.ts";
import { presetOf, type ModelConfig, type ObjectiveName, type TrainingConfig } from "../../../shared/config.ts";
import { labelledRecords } from "../../../shared/lessons/labelled.ts";
import { recordNumbers } from "../../../shared/lessons/records.ts";
import type { NetworkConfig } from "../../../shared/network-config.ts";
import { isDense } from "../../../shared/network-kind.ts";
import { encodeParts } from "../../../shared/model/formats/weights-file.ts";
import { createRandom, normal } from "../../../shared/model/random.ts";
import { weightShapes, type Weights } from "../../../shared/model/weights.ts";
import { pairNumbers, setReferences } from "../../../shared/preferences/records.ts";
import { sha256 } from "../../../shared/store.ts";
import { useKernels } from "../../../shared/tensor/engine/backend.ts";
import kernelModule from "../../../shared/tensor/engine/kernel-module.ts";
import simd from "../../../shared/tensor/kernels/kernels-simd.wasm";
import { encodeTokenShard } from "../../../shared/tokenizer/token-shard.ts";
import { objectiveOf } from "../../../shared/training/objectives/list.ts";
import { ARITHMETIC } from "../../../shared/training/protocol/arithmetic.ts";
import { identityOf } from "../../../shared/training/protocol/run-state.ts";
import type { EvaluateTask, Task, TrainResult, TrainTask } from "../../../shared/training/protocol/task.ts";
import { computeTask } from "../../../workers/trainer/compute-task.ts";
import { ObjectCache } from "../../../workers/trainer/object-cache.ts";

/** For each version, the start of the hash of each task's result. */
const RECORDED: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  1: {
    AdamW: "7d50607cfd02",
    Muon: "779bc11f88fb",
    Nesterov: "a7cc5e964a97",
    "a classifier": "2a36083fac1b",
    "a clipped norm": "2929cc51d16e",
    "a reward model": "9b08568fa1d9",
    "a schedule that warms up": "39fb2550bb80",
    "a state that continues": "bd1a6fc9e45d",
    "activations computed again": "56c48b72c35d",
    "an evaluation": "7d1a019f0027",
    "an evaluation of a classifier": "0aadc313219d",
    "an exact gradient": "47b5dcd52e44",
    "an exact gradient of a classifier": "9d13cb111e89",
    "an exact gradient in several passes": "8f1e44abac11",
    "an update in bf16, with rounding errors": "b13c3f8c0740",
    "an update in int8, with rounding errors": "e477c19818df",
    "fine-tuning": "a7bad459b526",
    "odd sizes": "307c375706b2",
    "preference training": "5da77259a1ed",
    "tied embeddings": "541d9a89fdd4",
  },
};

const ADAMW = { name: "adamw", lr: 3e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 } as const;
const NESTEROV = { name: "nesterov", lr: 0.1, momentum: 0.9 } as const;
const { optimizer: MUON } = presetOf("small").training;

/** Just large enough for Strassen's algorithm (kernels/gemm/strassen.ts). */
const WIDE: ModelConfig = { ...presetOf("small").model, mlpWidth: 128, layers: 2, context: 32, vocabSize: 128 };
/** No size is a multiple of four, the number of lanes. Query heads share key heads. */
const ODD: ModelConfig = { ...WIDE, vocabSize: 17, width: 10, mlpWidth: 13, heads: 3, kvHeads: 1, headWidth: 6, context: 7 };
const LABELS = ["a", "b", "c"];
const DENSE: NetworkConfig = { features: 32, hidden: [9, 5], activation: "relu", labels: LABELS };
const LOCAL: TrainingConfig = { ...presetOf("small").training, seed: 7, tokens: 100_000, batch: 8, shards: 2, steps: 2 };
const NONE = "0".repeat(64);

const objects = new Map<Hash, Uint8Array<ArrayBuffer>>();
async function put(bytes: Uint8Array<ArrayBuffer>): Promise<Hash> {
  const hash = await sha256(bytes);
  objects.set(hash, bytes);
  return hash;
}
const cache = () =>
  new ObjectCache({
    read: async (_, hash) => objects.get(hash)!,
    readPart: async (hash) => ({ bytes: objects.get(hash)!.slice(), isInBuffer: false }),
    writePart: async (bytes) => put(bytes.slice()),
  });

/** Weights without zeros. Some initial weights of a run are zero and would make gradients zero. */
async function putWeights(model: NetworkConfig): Promise<Hash[]> {
  const random = createRandom(5);
  const drawn: Weights = {};
  for (const [name, shape] of weightShapes(model)) {
    const [mean, spread] = shape.length === 1 ? [1, 0.1] : [0, 1 / Math.sqrt(shape[1]!)];
    drawn[name] = tf.tensor(
      Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => mean + spread * normal(random)),
      shape,
    );
  }
  const parts = await Promise.all([...encodeParts(model, drawn)].map((bytes) => put(new Uint8Array(bytes))));
  tf.dispose(drawn);
  return parts;
}

/** Labelled lessons as records. A word of each lesson decides its label. */
function labelledSide(): Uint16Array {
  const lessons = Array.from({ length: 20 }, (_, index) => ({
    text: `word${index % 7} word${index % 3}`,
    context: { time: index },
    label: LABELS[(index % 7) % LABELS.length]!,
  }));
  return labelledRecords(lessons, LABELS);
}

async function putDataset(kind: DatasetKind, model: NetworkConfig): Promise<Hash> {
  if (isDense(model)) return putManifest(labelledSide(), { kind, tokenizer: null, vocabSize: 65_536, labels: model.labels });
  const { vocabSize, context } = model;
  const random = createRandom(9);
  const token = () => Math.floor(random() * vocabSize);
  const record = recordNumbers(context);
  // An sft record is a list of (token, flag) pairs, padded with zeros. Its conversations have different lengths.
  const lessons = Uint16Array.from({ length: 20 * record }, (_, at) => {
    const pairs = record / 2 - (Math.floor(at / record) % 5);
    const inside = Math.floor((at % record) / 2) < pairs;
    if (kind === "pretrain") return token();
    return inside ? (at % 2 === 0 ? token() : Math.floor(at / 2) % 3 > 0 ? 1 : 0) : 0;
  });
  const numbers = kind === "preferences" ? pairsOf(lessons, context) : lessons;
  return putManifest(numbers, { tokenizer: NONE, vocabSize, ...(kind === "pretrain" ? {} : { kind, context }) });
}

async function putManifest(numbers: Uint16Array, fields: object): Promise<Hash> {
  const side = [{ hash: await put(encodeTokenShard(numbers)), tokens: numbers.length }];
  const sizes = { trainTokens: numbers.length, valTokens: numbers.length, valBytes: 300, documents: 3 };
  const json = canonicalJson({ format: 1, train: side, val: side, ...sizes, ...fields });
  return put(new Uint8Array(new TextEncoder().encode(json)));
}

/** Each record and the next one as a pair, with made log-probabilities. */
function pairsOf(lessons: Uint16Array, context: number): Uint16Array {
  const size = recordNumbers(context);
  const pairs = new Uint16Array((lessons.length / size / 2) * pairNumbers(context));
  for (let index = 0; index * 2 * size < lessons.length; index++) {
    const record = pairs.subarray(index * pairNumbers(context), (index + 1) * pairNumbers(context));
    record.set(lessons.subarray(2 * index * size, 2 * (index + 1) * size));
    setReferences(record, context, [-20 - index, -30 + index]);
  }
  return pairs;
}

const made = new Map<string, Promise<unknown>>();
/** Makes weights and datasets once for all tasks of a model. */
function once<T>(model: NetworkConfig, what: string, make: () => Promise<T>): Promise<T> {
  const key = canonicalJson({ model, what });
  if (!made.has(key)) made.set(key, make());
  return made.get(key) as Promise<T>;
}

async function taskOf(change: Partial<TrainingConfig>, model: NetworkConfig = WIDE): Promise<TrainTask> {
  const training = { ...LOCAL, ...change };
  const weights = await once(model, "weights", () => putWeights(model));
  const kind = objectiveOf(training).datasetKind;
  const dataset = await once(model, kind, () => putDataset(kind, model));
  return { kind: "train", run: "r", round: 3, shard: 1, base: NONE, weights, inner: null, dataset, model, training, lrScale: 0.5 };
}

async function resultOf(task: Task) {
  return (await computeTask({ id: "l", task, expiresAt: 0 }, "t", cache())).result;
}

/** The start of the hash of the part of a result in which two trainers must agree. */
async function hashOf(task: Task): Promise<string> {
  const text = identityOf(await resultOf(task));
  return (await sha256(new TextEncoder().encode(text))).slice(0, 12);
}

async function evaluation(objective: ObjectiveName = "pretrain", network: NetworkConfig = WIDE): Promise<EvaluateTask> {
  const { run, round, base, weights, dataset, model } = await taskOf({ objective }, network);
  return { kind: "evaluate", run, round, shard: 0, shards: 2, base, weights, dataset, objective, model, batch: 16 };
}

/** The next task of the same shard. It starts with the optimizer state that the first task has left. */
async function continued(change: Partial<TrainingConfig>): Promise<TrainTask> {
  const first = await taskOf(change);
  const { inner } = (await resultOf(first)) as TrainResult;
  return { ...first, round: 4, inner };
}

const TASKS: Readonly<Record<string, () => Promise<Task>>> = {
  "an exact gradient": () => taskOf({ steps: 1 }),
  "an exact gradient in several passes": () => taskOf({ steps: 1, batch: 80 }),
  Muon: () => taskOf({ optimizer: MUON }),
  AdamW: () => taskOf({ optimizer: ADAMW }),
  Nesterov: () => taskOf({ optimizer: NESTEROV }),
  "a clipped norm": () => taskOf({ clipNorm: 0.5 }),
  "a schedule that warms up": () => taskOf({ schedule: { warmupSteps: 20, decay: 0.5 } }),
  "activations computed again": () => taskOf({ recompute: true, batch: 70 }),
  "tied embeddings": () => taskOf({}, { ...WIDE, tiedEmbeddings: true }),
  "odd sizes": () => taskOf({ batch: 3 }, ODD),
  "a state that continues": () => continued({ optimizer: MUON }),
  "an update in bf16, with rounding errors": () => continued({ compression: "bf16" }),
  "an update in int8, with rounding errors": () => continued({ compression: "int8", steps: 1 }),
  "fine-tuning": () => taskOf({ objective: "sft" }),
  "preference training": () => taskOf({ objective: "dpo" }),
  "a reward model": () => taskOf({ objective: "reward" }, { ...WIDE, isScored: true }),
  "an evaluation": () => evaluation(),
  "a classifier": () => taskOf({ objective: "classify", optimizer: ADAMW }, DENSE),
  "an exact gradient of a classifier": () => taskOf({ objective: "classify", steps: 1 }, { ...DENSE, activation: "sigmoid" }),
  "an evaluation of a classifier": () => evaluation("classify", DENSE),
};

beforeAll(() => useKernels(kernelModule));

test("results have the recorded bits of their version; if not, raise ARITHMETIC and record its hashes", async () => {
  const hashes: Record<string, string> = {};
  for (const [name, make] of Object.entries(TASKS)) hashes[name] = await hashOf(await make());
  expect(hashes).toEqual(RECORDED[ARITHMETIC]);
});

test("another build of the kernels is another arithmetic", async () => {
  await useKernels(simd);
  expect(await hashOf(await TASKS["Muon"]!())).not.toBe(RECORDED[ARITHMETIC]!["Muon"]);
});
