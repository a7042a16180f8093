/**
 * `npm run soak -- alarm [--json]`: a run's alarm survives seven failures (T14 of the reliability design). No trainer polls.
 * The queue refuses the run's message at its start and at its first seven alarms. The eighth alarm, two minutes later, must
 * deliver the message.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createTestHarness } from "wrangler";
import type { Print } from "../cli/runner.ts";
import type { RefusingQueueCalls } from "./workers/refusing-queue.ts";

/** One refusal at the start of the run, then one per alarm. */
const REFUSALS = 8;
const POLL_MS = 1000;
const TIMEOUT_MS = 240_000;

export const FLAGS = {};

export async function run(_flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const server = createTestHarness({ workers: [{ configPath: join(import.meta.dirname, "workers", "refusing-queue.toml") }] });
  await server.listen();
  try {
    const worker = (await server.getWorker("tiffin-refusing-queue").getExport()) as unknown as RefusingQueueCalls;
    await worker.begin(REFUSALS);
    const startedAt = Date.now();
    let hints = await worker.hints();
    while (hints.sent === 0 && hints.nextAlarm !== null && Date.now() - startedAt < TIMEOUT_MS) {
      await sleep(POLL_MS);
      const before = hints.refused;
      hints = await worker.hints();
      if (hints.refused > before) print(`refused ${hints.refused} times after ${Math.round((Date.now() - startedAt) / 1000)} s`);
    }
    const ok = hints.sent === 1 && hints.refused === REFUSALS && hints.nextAlarm !== null;
    return { ...hints, seconds: Math.round((Date.now() - startedAt) / 1000), ok };
  } finally {
    await server.close();
  }
}
