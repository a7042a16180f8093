/** The queue is only a hint: a run begins without it, and its alarm sends the hint later (`npm run soak -- alarm`). */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createTestHarness } from "wrangler";
import type { RefusingQueueCalls } from "../../scripts/soak/workers/refusing-queue.ts";
import { ROOT } from "../../scripts/local/workers.ts";

/** Far beyond what a slow machine needs: waits end by state, and only a fault reaches this. */
const PATIENCE_MS = 300_000;
vi.setConfig({ testTimeout: 2 * PATIENCE_MS, hookTimeout: PATIENCE_MS });

const server = createTestHarness({ workers: [{ configPath: join(ROOT, "scripts/soak/workers/refusing-queue.toml") }] });
beforeAll(() => server.listen());
afterAll(() => server.close());

test("a run begins although its queue refuses the first message, and a second call restores a lost alarm", async () => {
  const worker = (await server.getWorker("tiffin-refusing-queue").getExport()) as unknown as RefusingQueueCalls;
  await worker.begin(1);
  expect(await worker.hints()).toEqual({ refused: 1, sent: 0, nextAlarm: expect.any(Number) });
  await worker.loseAlarm();
  expect((await worker.hints()).nextAlarm).toBeNull();
  await worker.begin(1);
  expect((await worker.hints()).nextAlarm).toBeGreaterThan(Date.now());
});
