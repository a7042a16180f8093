/** The reduction of local steps against numbers computed by hand, with DiLoCo's published outer settings (0.7, 0.9). */
import { beforeAll, expect, it } from "vitest";
import { MapBucket } from "../../../scripts/simulation/map-bucket.ts";
import { objectKey } from "../../../shared/artifacts.ts";
import { PRESETS, supervisionConfigSchema, type ModelConfig } from "../../../shared/config.ts";
import { partition } from "../../../shared/model/formats/partition.ts";
import { decodeSafetensors, encodeSafetensors } from "../../../shared/model/formats/safetensors.ts";
import { getObject, putObject } from "../../../shared/store.ts";
import type { ShapedName } from "../../../shared/model/weights.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import type { TrainResult } from "../../../shared/training/protocol/task.ts";
import { firstCheckpoint, nextCheckpoint } from "../../../workers/coordinator/reduce.ts";
import { initialState, type Base, type RunSpec } from "../../../shared/training/protocol/run-state.ts";
import { shardState } from "../../../shared/training/protocol/shard-state.ts";

beforeAll(startBackend);

const NONE = "0".repeat(64);
const MODEL = { ...PRESETS["tiny"]!.model, vocabSize: 5, width: 4, mlpWidth: 4, layers: 1, heads: 1, kvHeads: 1, headWidth: 4, context: 4 };
const training = { ...PRESETS["tiny"]!.training, seed: 1, tokens: 1e6, batch: 2, shards: 3, steps: 10 };
const supervision = supervisionConfigSchema.parse({});
const SPEC: RunSpec = { run: "r", preset: "tiny", dataset: NONE, tokenizer: NONE, model: MODEL, training, supervision, rounds: 10 };

const encodeFilled = (part: readonly ShapedName[], value: number) =>
  encodeSafetensors(part.map(([name, shape]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) })));

/** Stores a shard's update that moves all weights by `move`. */
async function storeMove(bucket: R2Bucket, model: ModelConfig, move: number): Promise<Pick<TrainResult, "delta" | "inner">> {
  const store = (parts: ShapedName[][], value: number) =>
    Promise.all(parts.map((part) => putObject(bucket, "part", encodeFilled(part, value), "r")));
  const parts = partition(model);
  const states = parts.map((part) => shardState(part, training));
  return { delta: await store(parts, move), inner: await store(states, 0) };
}

it("refuses an update with a hundred times the norm of the others, even in a model of several parts", async () => {
  const bucket = new MapBucket().asBucket();
  // An embedding of more than two megabytes is its own part.
  const spec = { ...SPEC, model: { ...MODEL, vocabSize: 150_000 } };
  expect(partition(spec.model).length).toBeGreaterThan(1);
  const slots = [1e-4, 1e-4, 1e-2].map(async (move) => {
    const stored = await storeMove(bucket, spec.model, move);
    const amounts = { loss: 1, sequences: 20, tokens: 80, deltaBytes: 1, innerBytes: 1 };
    return { leases: [], votes: [], bad: [], result: { kind: "train" as const, ...stored, ...amounts } };
  });
  const base = await firstCheckpoint(bucket, spec);
  const reduction = nextCheckpoint(bucket, { ...initialState(spec, base), slots: await Promise.all(slots) });
  await expect(reduction).rejects.toMatchObject({ shard: 2, message: expect.stringContaining("update of shard 2: expected a norm") });
});

it("writes no object twice within a reduction: without momentum all parts share one outer state", async () => {
  const bucket = new MapBucket();
  const outer = { name: "nesterov" as const, lr: 1, momentum: 0 };
  const spec = { ...SPEC, model: { ...MODEL, vocabSize: 150_000 }, training: { ...training, shards: 1, outer } };
  const slots = [await storeMove(bucket.asBucket(), spec.model, 1e-4)].map((stored) => {
    const amounts = { loss: 1, sequences: 20, tokens: 80, deltaBytes: 1, innerBytes: 1 };
    return { leases: [], votes: [], bad: [], result: { kind: "train" as const, ...stored, ...amounts } };
  });
  const base = await firstCheckpoint(bucket.asBucket(), spec);
  bucket.asked.length = 0;
  const next = await nextCheckpoint(bucket.asBucket(), { ...initialState(spec, base), slots });
  expect(next.outer!.length).toBeGreaterThan(1);
  expect(new Set(next.outer).size).toBe(1);
  expect(bucket.asked.toSorted()).toEqual([...new Set(bucket.asked)].toSorted());
});

it("moves by 0.7 times the Nesterov momentum of the mean update in every round", async () => {
  const bucket = new MapBucket().asBucket();
  const weightOf = async ({ weights }: Base) =>
    decodeSafetensors(new Uint8Array(await getObject(bucket, "part", weights[0]!, "r")))[0]!.data[0]!;
  /** The next checkpoint, when shard i has moved all weights by `moves[i]`. */
  const next = async (base: Base, moves: readonly number[]): Promise<Base> => {
    const slots = moves.map(async (move) => {
      const stored = await storeMove(bucket, MODEL, move);
      const amounts = { loss: 1, sequences: 20, tokens: 80, deltaBytes: 1, innerBytes: 1 };
      return { leases: [], votes: [], bad: [], result: { kind: "train" as const, ...stored, ...amounts } };
    });
    return nextCheckpoint(bucket, { ...initialState(SPEC, base), slots: await Promise.all(slots) });
  };
  const start = await firstCheckpoint(bucket, SPEC);
  // Mean (1 + 2 + 3) / 3 = 2: m = 2, w falls by 0.7 (0.9 x 2 + 2) = 2.66.
  const one = await next(start, [1, 2, 3]);
  expect((await weightOf(start)) - (await weightOf(one))).toBeCloseTo(2.66, 5);
  // Mean 1: m = 0.9 x 2 + 1 = 2.8, w falls by 0.7 (0.9 x 2.8 + 1) = 2.464.
  const two = await next(one, [0.5, 1, 1.5]);
  expect((await weightOf(one)) - (await weightOf(two))).toBeCloseTo(2.464, 5);
  expect(two).toMatchObject({ round: 2, tokens: 480 });
});

it("makes a part young again when it is rewritten, so that garbage collection keeps it", async () => {
  const bucket = new MapBucket();
  const bytes = new Uint8Array([1, 2, 3]);
  const key = objectKey("part", await putObject(bucket.asBucket(), "part", bytes, "r"), "r");
  await putObject(bucket.asBucket(), "part", bytes, "r");
  expect(bucket.asked).toEqual([key, key]);
  bucket.uploaded.set(key, new Date(0));
  await putObject(bucket.asBucket(), "part", bytes, "r");
  expect(bucket.uploaded.get(key)!.getTime()).toBeGreaterThan(Date.now() - 60_000);
});
