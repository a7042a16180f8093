/** Waits for a run to reach a state, over HTTP. Shared by `npm start`, benches and soaks. */
import { setTimeout as sleep } from "node:timers/promises";
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
