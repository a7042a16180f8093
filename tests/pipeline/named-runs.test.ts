/** Runs and their Workflows by name, on the real coordinator. No trainer runs; the tests submit results themselves. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { objectKey, type Hash } from "../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema } from "../../shared/config.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { encodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import type { Lease, TaskResult } from "../../shared/training/protocol/task.ts";
import { answer } from "../../scripts/simulation/world.ts";
import { putHandDataset, TOKENIZER } from "./hand-dataset.ts";
import { harness } from "./harness.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const server = harness("collector", "tokenizer", "coordinator");
const handle = () => server.getWorker<CoordinatorEnv, typeof import("../../workers/coordinator/index.ts")>("tiffin-coordinator");
/** The model of preset tiny with the vocabulary of the dataset. */
const MODEL = { ...presetOf("tiny").model, vocabSize: 64 };
const TOKENS_PER_ROUND = 8 * 64;
const VAL_TARGETS = 100;

let env: CoordinatorEnv;
let coordinator: Awaited<ReturnType<ReturnType<typeof handle>["getExport"]>>;
let dataset: Hash;

beforeAll(async () => {
  await server.listen();
  env = await handle().getEnv();
  coordinator = await handle().getExport();
  dataset = await putHandDataset(env.ARTIFACTS);
});
afterAll(() => server.close());

const stateOf = async (run: string) => (await coordinator.getRun(run))?.state;

async function begin(name: string, rounds = 100): Promise<void> {
  await coordinator.train({ name, preset: "tiny", dataset, tokens: rounds * TOKENS_PER_ROUND });
  await expect.poll(() => stateOf(name), { timeout: PATIENCE_MS }).toBe("training");
}

const leaseOf = async (run: string): Promise<Lease> => (await env.RUN.getByName(run).lease("by hand", 0, ARITHMETIC)).lease!;

/** Submits a result. It reports a huge computing time, which the coordinator limits to the time since the lease. */
async function submit(lease: Lease, result: TaskResult): Promise<void> {
  expect(await coordinator.submit({ ...answer(lease, "by hand", result), computeMs: 1e9 })).toMatchObject({ accepted: true });
}

/** Submits the next task of a run. */
async function work(run: string, result: (shard: number) => Promise<TaskResult> | TaskResult): Promise<void> {
  const lease = await leaseOf(run);
  await submit(lease, await result(lease.task.shard));
}

/** The result of a training task that moves every weight by the same amount. */
async function moved(run: string): Promise<TaskResult> {
  const delta: Hash[] = [];
  for (const part of partition(MODEL)) {
    const arrays = part.map(([name, shape]) => ({ name, shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.01) }));
    delta.push(await coordinator.writePart(run, encodeSafetensors(arrays)));
  }
  return { kind: "train", delta, inner: null, loss: 4, sequences: 4, tokens: 256, deltaBytes: 1, innerBytes: 0 };
}

/** Scores the current checkpoint, which ends a run after its last round. The two windows of 64 tokens are two slices. */
async function evaluate(run: string): Promise<void> {
  for (const targets of [64, VAL_TARGETS - 64]) await work(run, () => ({ kind: "evaluate", lossSum: 4 * targets, targets }));
}

async function playRound(run: string): Promise<void> {
  const before = (await coordinator.getRun(run))!.round!;
  for (let shard = 0; shard < 2; shard++) await work(run, () => moved(run));
  await expect.poll(async () => (await coordinator.getRun(run))!.round, { timeout: PATIENCE_MS }).toBe(before + 1);
}

it("continues without its Workflow once training has begun; the next start creates a Workflow, which publishes the model", async () => {
  await begin("driven");
  await (await env.TRAIN.get("driven")).terminate();
  await env.RUN.getByName("driven").fail("driven", "a step failed six times");
  expect(await coordinator.getRun("driven")).toMatchObject({ state: "training", error: null });
  await coordinator.stopRun("driven");
  await evaluate("driven");
  expect(await coordinator.getRun("driven")).toMatchObject({ state: "done", valLoss: 4 });
  expect(await coordinator.listModels()).toEqual([]);
  await coordinator.train({ name: "driven", preset: "tiny" });
  await expect.poll(() => coordinator.listModels(), { timeout: PATIENCE_MS }).toMatchObject([{ run: "driven", valLoss: 4 }]);
});

it("starts from nothing under the name of a deleted run, even if an ended Workflow of that name exists", async () => {
  await begin("twice", 100);
  await coordinator.deleteRun("twice");
  expect(await coordinator.getRun("twice")).toBeNull();
  await begin("twice", 90);
  expect(await coordinator.getRun("twice")).toMatchObject({ rounds: 90 });
  // Earlier versions left such a Workflow behind.
  await coordinator.deleteRun("twice");
  await env.TRAIN.create({ id: "twice", params: { preset: "tiny", dataset, tokens: 80 * TOKENS_PER_ROUND } });
  await expect.poll(() => stateOf("twice"), { timeout: PATIENCE_MS }).toBe("training");
  await (await env.TRAIN.get("twice")).terminate();
  await env.RUN.getByName("twice").destroy("twice");
  await env.REGISTRY.getByName("registry").removeRun("twice");
  await begin("twice", 70);
  expect(await coordinator.getRun("twice")).toMatchObject({ rounds: 70 });
});

it("gives trainers the tasks of a run that begins after a failed preparation and after a trainer's request", async () => {
  // There is no corpus, so the preparation fails.
  await coordinator.train({ name: "late", preset: "tiny" });
  await expect.poll(() => stateOf("late"), { timeout: PATIENCE_MS }).toBe("failed");
  const registry = env.REGISTRY.getByName("registry");
  for (const other of (await registry.runs("open")).filter((id) => id !== "late")) await coordinator.pauseRun(other);
  await coordinator.lease({ trainer: "by hand", arithmetic: ARITHMETIC });
  expect(await registry.runs("open")).not.toContain("late");
  // This is what a replay of the run's Workflow does.
  const training = { ...presetOf("tiny").training, seed: 1, tokens: 4 * TOKENS_PER_ROUND };
  const supervision = supervisionConfigSchema.parse({});
  const whole = { run: "late", preset: "tiny", dataset, tokenizer: TOKENIZER, model: MODEL, training, supervision, rounds: 4 };
  await env.RUN.getByName("late").begin(whole);
  expect(await registry.runs("open")).toContain("late");
  expect((await coordinator.lease({ trainer: "by hand", arithmetic: ARITHMETIC }))?.task.run).toBe("late");
});

it("refuses a trainer with another arithmetic clearly and without blame, and serves it when the versions agree", async () => {
  await begin("versions");
  const run = env.RUN.getByName("versions");
  expect(await run.lease("newer", 1000, ARITHMETIC + 1)).toEqual({ lease: null, over: false, otherArithmetic: ARITHMETIC });
  const ask = async () => void (await coordinator.lease({ trainer: "newer", run: "versions", arithmetic: ARITHMETIC + 1 }));
  await expect(ask()).rejects.toMatchObject({
    name: "Conflict",
    message: `trainer newer: expected arithmetic ${ARITHMETIC}, got ${ARITHMETIC + 1}; update the trainer or ask again later`,
  });
  expect(await coordinator.getRun("versions")).toMatchObject({ state: "training", trainers: [], leases: [], counts: {} });
  expect((await run.lease("newer", 0, ARITHMETIC)).lease?.task.run).toBe("versions");
});

it("leases a task that its trainer gives back to the next trainer at once", async () => {
  const run = env.RUN.getByName("versions");
  const failed = await leaseOf("versions");
  expect((await run.lease("next", 0, ARITHMETIC)).lease).toBeNull();
  await run.release(failed.task.shard, failed.id);
  expect((await run.lease("next", 0, ARITHMETIC)).lease?.task.shard).toBe(failed.task.shard);
  expect(await coordinator.getRun("versions")).toMatchObject({ counts: { released: 1 } });
});

it("prepares a run again when it is started after a failed preparation", async () => {
  await coordinator.train({ name: "again", preset: "tiny" });
  await expect.poll(() => stateOf("again"), { timeout: PATIENCE_MS }).toBe("failed");
  await begin("again");
  expect(await coordinator.getRun("again")).toMatchObject({ error: null });
});

it("answers simultaneous starts of one name with the same run", async () => {
  const starts = await Promise.all(Array.from({ length: 5 }, () => coordinator.train({ name: "one", preset: "tiny", dataset })));
  expect(await Promise.all(starts.map(({ run }) => run))).toEqual(Array(5).fill("one"));
  await expect.poll(() => stateOf("one"), { timeout: PATIENCE_MS }).toBe("training");
});

it("branches from the checkpoint that is newest when the branch begins", async () => {
  await begin("source");
  await playRound("source");
  await coordinator.branchRun("source", { name: "branch" });
  await expect.poll(() => stateOf("branch"), { timeout: PATIENCE_MS }).toBe("training");
  expect(await coordinator.getRun("branch")).toMatchObject({ round: 1, tokens: TOKENS_PER_ROUND });
  for (const part of (await leaseOf("branch")).task.weights)
    expect(await env.ARTIFACTS.head(objectKey("part", part, "branch"))).not.toBeNull();
});

// This test is the last, because it changes the rate with which later runs are planned.
it("plans runs with the rate that trainers of two earlier runs have shown, and refuses what they could not finish", async () => {
  // At the shipped rate, a task takes about 125 CPU seconds.
  const long = { name: "long", preset: "base", steps: 40 } as const;
  const registry = env.REGISTRY.getByName("registry");
  const shipped = await registry.cpuRate();
  const runs = ["slow-1", "slow-2"];
  for (const run of runs) await begin(run, 1);
  const leases = await Promise.all(runs.flatMap((run) => [leaseOf(run), leaseOf(run)]));
  // The measured tasks take a second, which is far too long for so small a model. So the run's rate becomes low.
  await sleep(1100);
  for (const [index, run] of runs.entries()) {
    expect(await registry.cpuRate()).toBe(shipped);
    await coordinator.train(long);
    await coordinator.deleteRun(long.name);
    for (const lease of leases.slice(2 * index, 2 * index + 2)) await submit(lease, await moved(run));
    await expect.poll(async () => (await coordinator.getRun(run))!.progress.stage, { timeout: PATIENCE_MS }).toBe("evaluating");
    await evaluate(run);
    // The next call reports that the run is over.
    await env.RUN.getByName(run).rouse();
  }
  expect(await registry.cpuRate()).toBe(shipped / 4);
  const startLong = async () => void (await coordinator.train(long));
  await expect(startLong()).rejects.toThrow("cpu: expected a task of at most 150 CPU seconds");
});
