/** An operator's actions over HTTP on the real Workers: pause, resume, stop, branch, watch events, delete, collect garbage. */
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { objectKey, runPrefix } from "../../shared/artifacts.ts";
import { presetOf, supervisionConfigSchema } from "../../shared/config.ts";
import { getObjectStart, putObject } from "../../shared/store.ts";
import { configPath } from "../../scripts/local/workers.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import type { RunStatus } from "../../shared/contracts/runs.ts";
import { MODEL, putHandDataset, TOKENIZER } from "./hand-dataset.ts";
import { harnessOfAll, OPERATOR_TOKEN } from "./harness.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const server = harnessOfAll([], { [configPath("gateway")]: { secrets: { OPERATOR_TOKEN }, vars: { PUBLIC_TRAINING: "on" } } });
const coordinatorOf = () => server.getWorker<CoordinatorEnv, typeof import("../../workers/coordinator/index.ts")>("tiffin-coordinator");
let bucket: R2Bucket;

beforeAll(async () => {
  await server.listen();
  bucket = (await coordinatorOf().getEnv()).ARTIFACTS;
});
afterAll(() => server.close());

async function send<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
  const response = await server.fetch(path, {
    method,
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

const status = async (run: string) => (await send<RunStatus>("GET", `/runs/${run}`)).body;
const keysUnder = async (prefix: string) => (await bucket.list({ prefix })).objects.map(({ key }) => key);

/** The status of a request without the operator's token. */
async function statusOfStranger(method: string, path: string): Promise<number> {
  const response = await server.fetch(path, { method });
  await response.body?.cancel();
  return response.status;
}

async function begin(run: string, rounds: number): Promise<void> {
  const training = { ...presetOf("tiny").training, seed: 1, tokens: rounds * 8 * 16 };
  const dataset = await putHandDataset(bucket);
  const supervision = supervisionConfigSchema.parse({ evaluateEvery: 4 });
  const coordinator = await coordinatorOf().getExport();
  const spec = {
    run,
    preset: "tiny",
    dataset,
    tokenizer: TOKENIZER,
    model: MODEL,
    training,
    supervision,
    rounds: totalRounds(training, MODEL),
  };
  await coordinator.startRun(spec);
}

it("pauses, resumes, streams events until the end, branches, collects garbage and deletes", async () => {
  await begin("first", 40);
  await expect.poll(async () => (await status("first")).round, { timeout: PATIENCE_MS }).toBeGreaterThan(1);
  expect(await send("POST", "/runs/first/pause")).toEqual({ status: 200, body: { paused: "first" } });
  await expect.poll(async () => (await status("first")).leases.length, { timeout: PATIENCE_MS }).toBe(0);
  const still = await status("first");
  expect(still.state).toBe("paused");
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await status("first")).round).toBe(still.round);

  const events = await server.fetch("/runs/first/events", { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
  expect(events.headers.get("content-type")).toBe("text/event-stream");
  await send("POST", "/runs/first/resume");
  const names = (await events.text()).split("\n\n").flatMap((event) => /^event: (\w+)/.exec(event)?.[1] ?? []);
  expect(names.filter((name) => name !== "progress")).toEqual(["done"]);
  expect(names.at(-1)).toBe("done");

  const first = await status("first");
  expect(first).toMatchObject({ state: "done", round: expect.any(Number), stopReason: "rounds" });
  expect(first.evaluations.map(({ round }) => round)).toEqual([4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
  expect(first.cpuMillisecondsPerTask).toBeGreaterThan(0);
  expect(first.bytesPerRound!.delta).toBeGreaterThan(1000);

  // Only objects of kept checkpoints are left, and an orphan that garbage collection deletes.
  await bucket.put(objectKey("part", "e".repeat(64), "first"), "an upload that was refused");
  const before = await keysUnder(runPrefix("first"));
  expect(await send("POST", "/garbage-collections", { graceSeconds: 0 })).toEqual({ status: 200, body: { objects: 1 } });
  expect(await keysUnder(runPrefix("first"))).toHaveLength(before.length - 1);

  const tooShort = await send<{ error: string }>("POST", "/runs/first/branch", { name: "none", tokens: 128 });
  expect(tooShort.status).toBe(422);
  expect(tooShort.body.error).toMatch(/^tokens: expected at least/);
  const { checkpoint } = first.evaluations[8]!;
  expect(
    (await send("POST", "/runs/first/branch", { name: "second", checkpoint, tokens: 60 * 8 * 16, lrScale: 0.5, supervision: { audit: 0 } }))
      .status,
  ).toBe(200);
  await expect.poll(async () => (await status("second")).state, { timeout: PATIENCE_MS }).toBe("done");
  expect(await status("second")).toMatchObject({ rounds: 60, firstLoss: expect.any(Number), losses: expect.any(Array) });
  expect((await status("second")).losses[0]!.round).toBe(36);
  // A branch has the supervision of its original run, except for the overrides in the request.
  expect((await status("second")).evaluations.map(({ round }) => round)).toEqual([40, 44, 48, 52, 56, 60]);

  expect((await send("DELETE", "/runs/first")).status).toBe(200);
  expect(await keysUnder(runPrefix("first"))).toEqual([]);
  expect((await send("GET", "/runs/first")).status).toBe(404);
  expect((await send("POST", "/runs/first/pause")).status).toBe(404);
});

it("reads the start and the size of a stored object", async () => {
  const hash = await putObject(
    bucket,
    "part",
    new Uint8Array(100).map((_, index) => index),
    "none",
  );
  expect(await getObjectStart(bucket, "part", hash, "none", 3)).toEqual({ start: Uint8Array.of(0, 1, 2), size: 100 });
  expect((await getObjectStart(bucket, "part", hash, "none", 1000)).start).toHaveLength(100);
  await expect(getObjectStart(bucket, "part", "f".repeat(64), "none", 3)).rejects.toThrow("expected an object, found none");
  await bucket.delete(objectKey("part", hash, "none"));
});

it("stops cleanly: trainers evaluate the last checkpoint, then the run is done", async () => {
  await begin("long", 10_000);
  await expect.poll(async () => (await status("long")).round, { timeout: PATIENCE_MS }).toBeGreaterThan(2);
  // PUBLIC_TRAINING is "on": everyone may look at runs, but not steer them, and not watch crawls.
  const looks = ["/runs", "/runs/long", "/runs/long/curve", "/events?run=long", "/events?crawl=long"];
  expect(await Promise.all(looks.map((path) => statusOfStranger("GET", path)))).toEqual([200, 200, 200, 200, 401]);
  expect(await statusOfStranger("POST", "/runs/long/pause")).toBe(401);
  expect(await (await server.fetch("/session")).json()).toMatchObject({ operator: false, training: true });
  await send("POST", "/runs/long/stop");
  await expect.poll(async () => (await status("long")).state, { timeout: PATIENCE_MS }).toBe("done");
  const { stopReason, valLoss } = await status("long");
  expect(stopReason).toBe("stopped");
  expect(valLoss).toBeLessThan(Math.log(64));
});

it("collects the garbage of a deleted run, and leaves an open run's young objects alone", async () => {
  await begin("busy", 10_000);
  await expect.poll(async () => (await status("busy")).round, { timeout: PATIENCE_MS }).toBeGreaterThan(0);
  // A trainer that was working when an earlier run was stopped may have left an update behind.
  await send("POST", "/garbage-collections", { graceSeconds: 0 });
  const upload = objectKey("part", "e".repeat(64), "busy");
  await bucket.put(upload, "an update that is submitted in a moment");
  const late = objectKey("part", "e".repeat(64), "deleted");
  await bucket.put(late, "an update of a run that was deleted meanwhile");
  expect((await send("POST", "/garbage-collections", { graceSeconds: 0 })).body).toEqual({ objects: 1 });
  expect(await bucket.head(late)).toBeNull();
  expect(await bucket.head(upload)).not.toBeNull();
  const { round } = await status("busy");
  await expect.poll(async () => (await status("busy")).round, { timeout: PATIENCE_MS }).toBeGreaterThan(round! + 1);
  await send("DELETE", "/runs/busy");
});

it("a run gives out no tasks while the day's budget of training is spent, and goes on when there is a budget again", async () => {
  const { LEDGER, RUN } = await coordinatorOf().getEnv();
  const standing = { round: 0, tokens: 0, refused: 0, queueAgeMs: null, position: "", isOpen: false, error: null };
  // This usage costs more cents than any configured budget.
  await LEDGER.getByName("ledger").bookRun({ run: "costly", usage: { r2ClassA: 1e9 }, ...standing });
  await begin("poor", 4);
  const run = RUN.getByName("poor");
  // By now the run has asked the ledger. Earlier leases end, and no task is leased again.
  await expect.poll(async () => (await status("poor")).leases.length, { timeout: PATIENCE_MS }).toBe(0);
  expect(await run.lease("trainer", 0)).toEqual({ lease: null, over: false });
  const spent = await send<{ budgets: { trainingCents: { limit: number; spent: number } } }>("GET", "/costs");
  expect(spent.body.budgets.trainingCents.spent).toBeGreaterThan(spent.body.budgets.trainingCents.limit);
  const ledger = await server.getWorker("tiffin-coordinator").getDurableObjectStorage("LEDGER", { name: "ledger" });
  await ledger.exec("DELETE FROM budgets");
  // The first call finds the new budget, the second tells the trainers. Without the test, alarms make these calls, 15 seconds
  // apart.
  for (let call = 0; call < 2; call++) await run.rouse();
  await expect.poll(async () => (await status("poor")).state, { timeout: PATIENCE_MS }).toBe("done");
  const metrics = await server.fetch("/metrics", { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
  expect(metrics.headers.get("content-type")).toContain("text/plain");
  const text = await metrics.text();
  expect(Number(/^tiffin_rounds_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(4);
  // The costly run raised this alert. It stays unsent, because no webhook is set.
  expect(Number(/^tiffin_unsent_alerts (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(1);
});
