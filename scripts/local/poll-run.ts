/** Waits over HTTP until a run reaches a state, or until its model is active. `npm start`, deploys, benches and soaks use it. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { modelSchema } from "../../shared/contracts/models.ts";
import { runStatusSchema, type RunStatus } from "../../shared/contracts/runs.ts";
import type { Client } from "./client.ts";

export interface PollOptions {
  pollMs: number;
  /** The longest wait; by default there is no limit. */
  timeoutMs?: number;
  /** Called with every status before the awaited status. */
  onStatus?: (status: RunStatus) => void;
}

/** Polls until `holds` is true and returns that status. Throws if the run fails or the time is over. */
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
 * Waits until the model of a finished run is the active model. The Workflow publishes and activates the model the next time it
 * polls; after a long run that can take minutes. Therefore the run is requested once more, which makes the Workflow poll at
 * once. If the model was published earlier and another model is active, the model is activated again.
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
