/**
 * The predicted number of requests of a reduction is compared with real reductions. Runs with too many predicted requests are
 * refused.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { MapBucket } from "../../../scripts/simulation/map-bucket.ts";
import { PRESETS, supervisionConfigSchema, type TrainingConfig } from "../../../shared/config.ts";
import { MAX_SUBREQUESTS } from "../../../shared/limits.ts";
import { partition } from "../../../shared/model/formats/partition.ts";
import { encodeSafetensors } from "../../../shared/model/formats/safetensors.ts";
import { checkReduction, estimateReduction } from "../../../shared/model/footprint/subrequests.ts";
import type { ShapedName } from "../../../shared/model/weights.ts";
import { putObject } from "../../../shared/store.ts";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";
import { initialState } from "../../../shared/training/protocol/run-state.ts";
import { shardState } from "../../../shared/training/protocol/shard-state.ts";
import { firstCheckpoint, nextCheckpoint } from "../../../workers/coordinator/reduce.ts";

beforeAll(startBackend);

const NONE = "0".repeat(64);
/** A model of three parts. The embedding and the head are each larger than PART_BYTES, so each has a part of its own. */
const MODEL = { ...PRESETS["tiny"]!.model, vocabSize: 150_000, width: 4, mlpWidth: 4, layers: 1, heads: 1, kvHeads: 1, headWidth: 4 };

/** A stored part in which every number is `value`. */
const filled = (part: readonly ShapedName[], value: number) =>
  encodeSafetensors(part.map(([name, shape]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) })));

async function reductionOf(change: Partial<TrainingConfig>) {
  const training = { ...PRESETS["tiny"]!.training, seed: 1, tokens: 1e6, batch: 3, shards: 3, ...change };
  const supervision = supervisionConfigSchema.parse({});
  const spec = { run: "r", preset: "tiny", dataset: NONE, tokenizer: NONE, model: MODEL, training, supervision, rounds: 10 };
  const bucket = new MapBucket();
  const store = (parts: ShapedName[][], value: number) =>
    Promise.all(parts.map((part) => putObject(bucket.asBucket(), "part", filled(part, value), "r")));
  const states = partition(MODEL).map((part) => shardState(part, training));
  const hasState = states[0]!.length > 0;
  const slots = [1, 2, 3].map(async (move) => {
    const delta = await store(partition(MODEL), move * 1e-4);
    const inner = hasState ? await store(states, 0) : null;
    const amounts = { loss: 1, sequences: 1, tokens: 64, deltaBytes: 1, innerBytes: 1 };
    return { leases: [], votes: [], bad: [], result: { kind: "train" as const, delta, inner, ...amounts } };
  });
  const state = { ...initialState(spec, await firstCheckpoint(bucket.asBucket(), spec)), slots: await Promise.all(slots) };
  bucket.requests = 0;
  await nextCheckpoint(bucket.asBucket(), state);
  return { requests: bucket.requests, predicted: estimateReduction(MODEL, training).requests };
}

describe("a reduction", () => {
  it.each([
    ["of local steps", { steps: 10 }],
    ["of exact rounds that clip", { steps: 1, clipNorm: 1 }],
    ["of exact rounds without clipping", { steps: 1, clipNorm: 0 }],
  ])("%s needs at most the predicted number of requests, and at least half of it", async (_, change) => {
    const { requests, predicted } = await reductionOf(change);
    expect(requests).toBeLessThanOrEqual(predicted);
    expect(requests).toBeGreaterThan(predicted / 2);
  });

  it("of 250 shards, the most that a run may have, needs less than half of an invocation's requests in every preset", () => {
    for (const { model, vocabSize, training } of Object.values(PRESETS)) {
      const wide = { ...training, seed: 1, tokens: 1e6, shards: 250 };
      const { requests } = estimateReduction({ ...model, vocabSize }, wide);
      expect(requests).toBeLessThan(MAX_SUBREQUESTS / 2);
    }
  });

  it("that one invocation could not finish is refused before the run begins, with figures and the remedy", () => {
    const { model, vocabSize, training } = PRESETS["base"]!;
    const base = { ...model, vocabSize };
    const wide = { ...training, seed: 1, tokens: 1e6, shards: 250 };
    expect(() => checkReduction(estimateReduction(base, wide))).not.toThrow();
    const large = { ...base, layers: 40 };
    expect(() => checkReduction(estimateReduction(large, wide))).toThrow(
      /^shards: expected a reduction of at most 9000 storage requests .*, got \d+ \(\d+ parts of 250 shards\); take fewer shards$/,
    );
  });
});
