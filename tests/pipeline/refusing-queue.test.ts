/**
 * Runs go on although messages and alarms are lost. Queue messages are only hints for trainers, and an open run always gets its
 * alarm back (see also `npm run soak -- alarm`).
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { RefusingQueueCalls } from "../../scripts/soak/workers/refusing-queue.ts";
import { ROOT } from "../../scripts/local/workers.ts";
import { harnessOf } from "./harness.ts";

/** Only a test that hangs reaches this time. Tests wait for states, and even a slow machine needs far less. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const server = harnessOf([join(ROOT, "scripts/soak/workers/refusing-queue.toml")]);
const handle = () => server.getWorker("tiffin-refusing-queue");
let worker: RefusingQueueCalls;

beforeAll(async () => {
  await server.listen();
  worker = (await handle().getExport()) as unknown as RefusingQueueCalls;
});
afterAll(() => server.close());

const evict = () => handle().evictDurableObject("RUN", { name: "refused" });

test("a run begins even if its queue refuses the first message, and a second call restores a lost alarm", async () => {
  await worker.begin(1);
  expect(await worker.hints()).toEqual({ refused: 1, sent: 0, nextAlarm: expect.any(Number) });
  await worker.loseAlarm();
  expect((await worker.hints()).nextAlarm).toBeNull();
  await worker.begin(1);
  expect((await worker.hints()).nextAlarm).toBeGreaterThan(Date.now());
});

test("a starting object restores its run's lost alarm", async () => {
  await worker.begin(0);
  await worker.loseAlarm();
  await evict();
  expect((await worker.hints()).nextAlarm).toBeGreaterThan(Date.now());
});

test("a due alarm starts its object, rings, and sets the next alarm", async () => {
  await worker.begin(0);
  const before = (await worker.hints()).sent;
  const due = Date.now() + 500;
  await worker.setAlarm(due);
  await evict();
  // No call may start the object before its alarm starts it.
  await sleep(2000);
  await expect.poll(async () => (await worker.hints()).sent, { timeout: PATIENCE_MS }).toBeGreaterThan(before);
  expect((await worker.hints()).nextAlarm).toBeGreaterThan(due);
});

test("the cron restores the alarm of a run that gets no other call", async () => {
  await worker.begin(0);
  await worker.loseAlarm();
  await worker.rouseRuns();
  expect((await worker.hints()).nextAlarm).toBeGreaterThan(Date.now());
});
