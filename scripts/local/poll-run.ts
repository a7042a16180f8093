/** Waits over HTTP: for a run to reach a state, and for its model to answer. Shared by `npm start`, deploys, benches and soaks. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { modelSchema } from "../../shared/contracts/models.ts";
import { runStatusSchema, type RunStatus } from "../../shared/contracts/runs.ts";
import type { Client } from "./client.ts";

export interface PollOptions {
  pollMs: number;
  /** Without it the wait has no end of its own. */
  timeoutMs?: number;
  /** Gets every status that is not the awaited one. */
  onStatus?: (status: RunStatus) => void;
}

/** Polls until `holds` and returns that status. Throws when the run has failed or the time is over. */
export async function pollRun(client: Client, id: string, holds: (status: RunStatus) => boolean, options: PollOptions): Promise<RunStatus> {
  const { pollMs, timeoutMs = Infinity, onStatus } = options;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const status = await client.call("GET", `/runs/${id}`, runStatusSchema);
    if (status.state === "failed") throw new Error(`run ${id} failed: ${status.error ?? "no reason given"}`);
    if (holds(status)) return status;
    if (Date.now() > deadline)
      throw new Error(`run ${id}: expected progress within ${timeoutMs / 1000} s, got state ${status.state}, round ${status.round}`);
    onStatus?.(status);
    await sleep(pollMs);
  }
}

export const isDone = (status: RunStatus): boolean => status.state === "done";

const PUBLISH_TIMEOUT_MS = 120_000;

/**
 * Waits until the model of a finished run is the active one. The Workflow publishes and activates the run's result the next
 * time it polls. After a long run that can take minutes, so the same run is asked for once more, which makes the Workflow
 * poll at once. If the model was published before and another one is active since, it is activated again.
 */
export async function untilActive(
  client: Client,
  checkpoint: string | null,
  request: Record<string, unknown>,
  pollMs: number,
): Promise<void> {
  const deadline = Date.now() + PUBLISH_TIMEOUT_MS;
  for (let isAsked = false; ; isAsked = true) {
    const models = await client.call("GET", "/models", z.array(modelSchema));
    const own = models.find(({ model }) => model === checkpoint);
    if (own?.active) return;
    if (own !== undefined) {
      await client.send("POST", `/models/${checkpoint}/activate`);
      return;
    }
    if (!isAsked) await client.send("POST", "/runs", request);
    if (Date.now() > deadline)
      throw new Error(`expected model ${checkpoint} to be published within ${PUBLISH_TIMEOUT_MS / 1000} s, but it is not. Try again.`);
    await sleep(pollMs);
  }
}
