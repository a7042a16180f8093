/** Whole runs on the real coordinator and trainer, over a small hand-written dataset. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { checkpointSchema, objectKey, type Hash } from "../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema, type SupervisionConfig, type TrainingConfig } from "../../shared/config.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { getJson, getObject } from "../../shared/store.ts";
import type { RunStatus } from "../../shared/contracts/runs.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import { ROLLBACK_POINT_EVERY } from "../../shared/training/protocol/run.ts";
import { configPath } from "../../scripts/local/workers.ts";
import { MODEL, putHandDataset, TOKENIZER, VAL_TOKENS } from "./hand-dataset.ts";
import { fixture, harnessOf } from "./harness.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const server = harnessOf([...["collector", "tokenizer", "coordinator", "trainer"].map(configPath), fixture("second-trainer")]);
const handle = () => server.getWorker<CoordinatorEnv, typeof import("../../workers/coordinator/index.ts")>("tiffin-coordinator");
const preset = presetOf("tiny");

let bucket: R2Bucket;
let coordinator: Awaited<ReturnType<ReturnType<typeof handle>["getExport"]>>;
let dataset: Hash;

beforeAll(async () => {
  await server.listen();
  const worker = handle();
  bucket = (await worker.getEnv()).ARTIFACTS;
  coordinator = await worker.getExport();
  dataset = await putHandDataset(bucket);
});
afterAll(() => server.close());

async function runToEnd(run: string, change: Partial<TrainingConfig>, watch: Partial<SupervisionConfig> = {}) {
  const training: TrainingConfig = { ...preset.training, seed: 3, tokens: 8 * 16 * 4, ...change };
  const supervision = supervisionConfigSchema.parse(watch);
  await coordinator.startRun({
    run,
    preset: "tiny",
    dataset,
    tokenizer: TOKENIZER,
    model: MODEL,
    valTokens: VAL_TOKENS,
    training,
    supervision,
    rounds: totalRounds(training, MODEL),
  });
  for (;;) {
    const status = await coordinator.getRun(run);
    if (status?.state === "failed") throw new Error(status.error ?? "failed");
    if (status?.state === "done") return status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function weightsOf(run: string, checkpoint: Hash | null): Promise<Float32Array[]> {
  const { weights } = await getJson(bucket, "checkpoint", checkpoint!, checkpointSchema, run);
  const parts = await Promise.all(weights.map((hash) => getObject(bucket, "part", hash, run)));
  return parts.flatMap((bytes) => decodeSafetensors(new Uint8Array(bytes))).map(({ data }) => data);
}

/** Tokens of one step of one shard. */
const STEP_TOKENS = 8 * 16;
const ROUNDS = 4 * ROLLBACK_POINT_EVERY;
const LONG = { shards: 2, steps: 2, tokens: ROUNDS * 2 * 2 * STEP_TOKENS };
let undisturbed: Promise<RunStatus> | null = null;
/** The final status of the run LONG without disturbances. Several tests compare with it. */
const undisturbedEnd = () => (undisturbed ??= runToEnd("undisturbed", LONG));

let float32: Promise<RunStatus> | null = null;
const COMPRESSIBLE = { shards: 2, tokens: 16 * STEP_TOKENS };
const float32End = () => (float32 ??= runToEnd("float32", COMPRESSIBLE));

async function untilRound(run: string, round: number): Promise<void> {
  const current = async () => (await coordinator.getRun(run))?.round;
  await expect.poll(current, { timeout: PATIENCE_MS, interval: 20 }).toBeGreaterThanOrEqual(round);
}

describe("training", () => {
  it("with one local step ends in the same weights on one, two and four shards", async () => {
    const one = await runToEnd("one", { shards: 1 });
    expect(one).toMatchObject({ round: 4, rounds: 4, tokens: 512 });
    const expected = await weightsOf("one", one.checkpoint);
    for (const shards of [2, 4]) {
      const actual = await weightsOf(`shards-${shards}`, (await runToEnd(`shards-${shards}`, { shards })).checkpoint);
      let difference = 0;
      for (const [index, data] of actual.entries()) {
        for (const [position, value] of data.entries()) difference = Math.max(difference, Math.abs(value - expected[index]![position]!));
      }
      // Adam's first steps enlarge rounding errors, but only to a small share of lr = 3e-3.
      expect(difference).toBeLessThan(1e-4);
    }
  });

  it("ends in the same checkpoint when two equal runs train at the same time", async () => {
    const [first, second] = await Promise.all([
      runToEnd("first", { steps: 2, tokens: 2048 }),
      runToEnd("second", { steps: 2, tokens: 2048 }),
    ]);
    expect(second.checkpoint).toBe(first.checkpoint);
    expect(first.valLoss).toBeLessThan(Math.log(64));
    expect(await weightsOf("first", first.checkpoint)).not.toHaveLength(0);
  });

  it.each(["bf16", "int8"] as const)(
    "learns with updates in %s, which take fewer bytes and keep their rounding errors",
    async (compression) => {
      const plain = await float32End();
      const small = await runToEnd(compression, { ...COMPRESSIBLE, compression });
      const share = small.bytesPerRound!.delta / plain.bytesPerRound!.delta;
      // In a model this small, headers and scales are a large share of the bytes.
      expect(share).toBeLessThan(compression === "bf16" ? 0.7 : 0.6);
      expect(small.bytesPerRound!.inner).toBeGreaterThan(plain.bytesPerRound!.delta / 2);
      expect(Math.abs(small.valLoss! - plain.valLoss!)).toBeLessThan(0.05);
    },
  );

  it("audits tasks with two trainers, which compute the same bits, and drops audits without a second trainer", async () => {
    const change = { steps: 2, tokens: 8 * 512 };
    const plain = await runToEnd("unaudited", change);
    const second = server.getWorker("tiffin-trainer-2").fetch("http://trainer/work", { method: "POST" });
    const audited = await runToEnd("audited", change, { audit: 2 });
    expect(audited.counts).toMatchObject({ "audit-passed": expect.any(Number) });
    expect(audited.counts["audit-failed"]).toBeUndefined();
    expect(audited.checkpoint).toBe(plain.checkpoint);
    await (await second).json();
    const alone = await runToEnd("alone", change, { audit: 2 });
    expect(alone.counts).toMatchObject({ "audit-dropped": expect.any(Number) });
    expect(alone.checkpoint).toBe(plain.checkpoint);
  });

  it("survives evictions of its object and ends in the same checkpoint", async () => {
    const ending = runToEnd("evicted", LONG);
    for (const round of [1, 5, 10, 15, 20]) {
      await untilRound("evicted", round);
      await handle()
        .evictDurableObject("RUN", { name: "evicted" })
        .catch(() => undefined);
    }
    expect((await ending).checkpoint).toBe((await undisturbedEnd()).checkpoint);
  });

  it("rolls back after a flipped byte in its current checkpoint and still ends in the same checkpoint", async () => {
    const ending = runToEnd("flipped", LONG);
    // From here on, a rollback goes back to a round after the first.
    await untilRound("flipped", 2 * ROLLBACK_POINT_EVERY + 1);
    await coordinator.pauseRun("flipped");
    await expect.poll(async () => (await coordinator.getRun("flipped"))?.leases, { timeout: PATIENCE_MS }).toEqual([]);
    const { checkpoint, round } = (await coordinator.getRun("flipped"))!;
    const { weights } = await getJson(bucket, "checkpoint", checkpoint!, checkpointSchema, "flipped");
    const key = objectKey("part", weights[0]!, "flipped");
    const bytes = new Uint8Array(await (await bucket.get(key))!.arrayBuffer());
    bytes[bytes.length - 1]! ^= 1;
    await bucket.put(key, bytes);
    // These fillers evict the intact copy from the coordinator's memory.
    for (const filler of [1, 2]) await coordinator.writePart("flipped", new Uint8Array(12 * 2 ** 20).fill(filler));
    await coordinator.resumeRun("flipped");
    const end = await ending;
    expect(end.rollbacks).toEqual([
      { fromRound: round, toRound: expect.any(Number), lrScale: 1, reason: expect.stringContaining("expected this hash") },
    ]);
    expect(end.rollbacks[0]!.toRound).toBeGreaterThanOrEqual(ROLLBACK_POINT_EVERY);
    expect(end.checkpoint).toBe((await undisturbedEnd()).checkpoint);
  });

  it("refuses more shards than sequences with the field's name", async () => {
    await expect(runToEnd("wide", { shards: 9 })).rejects.toThrow("shards: expected at most 8");
  });

  it("refuses a model that is too large for an isolate, before preparation, with its size and the limit", async () => {
    const figures = /memory: expected a training task of at most 128 MiB .*, got \d+ MiB/;
    const begin = async () => void (await coordinator.train({ name: "heavy", preset: "base", vocabSize: 65_536 }));
    await expect(begin()).rejects.toThrow(figures);
    expect(await coordinator.listRuns()).not.toContainEqual(expect.objectContaining({ run: "heavy" }));
  });

  it("refuses a task that is too long for a trainer, before preparation, with its CPU time, the limit and the remedy", async () => {
    const figures = /cpu: expected a task of at most 150 CPU seconds .*, got about \d+ \(409600 tokens\); take fewer steps/;
    const begin = async () => void (await coordinator.train({ name: "endless", preset: "base", steps: 200 }));
    await expect(begin()).rejects.toThrow(figures);
    expect(await coordinator.listRuns()).not.toContainEqual(expect.objectContaining({ run: "endless" }));
  });

  it("ends in the same weights with and without recomputed activations", async () => {
    const kept = await runToEnd("kept", { steps: 2, tokens: 2048 });
    const again = await runToEnd("again", { steps: 2, tokens: 2048, recompute: true });
    expect(await weightsOf("again", again.checkpoint)).toEqual(await weightsOf("kept", kept.checkpoint));
  });

  it("starts one run per name; without a corpus the run fails with the reason", async () => {
    const starts = await Promise.all([
      coordinator.train({ name: "named", preset: "tiny" }),
      coordinator.train({ name: "named", preset: "tiny" }),
    ]);
    expect(await Promise.all(starts.map(({ run }) => run))).toEqual(["named", "named"]);
    await expect
      .poll(async () => (await coordinator.getRun("named"))?.error, { timeout: PATIENCE_MS })
      .toMatch(/^snapshot: expected at least one document/);
  });
});
