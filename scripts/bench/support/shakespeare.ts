/**
 * Shared by the benches on tinyshakespeare: turns the text into a dataset, starts Tiffin on its own state, runs a training run
 * to its end.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startedRunSchema, type RunStatus } from "../../../shared/contracts/runs.ts";
import type { Print } from "../../cli/runner.ts";
import { Client } from "../../local/client.ts";
import { isDone, pollRun } from "../../local/poll-run.ts";
import { stopOnExit, wantedPort } from "../../local/processes.ts";
import { startLocal, type Local } from "../../local/stack.ts";
import { ROOT } from "../../local/workers.ts";
import { charDataset } from "./char-dataset.ts";
import { putLocalObjects } from "./local-objects.ts";

/** The path of the text. `--text FILE` overrides it. */
export const SHAKESPEARE = join(ROOT, "..", "shared", "data", "tinyshakespeare.txt");
const BENCH_PORT = 8888;
const POLL_MS = 1000;
const REPORT_MS = 10_000;
const RUN_TIMEOUT_MS = 3_600_000;

/** Reads the text. The text is not part of the repository; throws if it is missing. */
export function readText(path: string): string {
  if (existsSync(path)) return readFileSync(path, "utf8");
  throw new Error(
    `--text: expected a text file, found none at ${path}. Name one; the measured figures use data/tinyshakespeare/input.txt of github.com/karpathy/char-rnn`,
  );
}

/** Starts Tiffin with `trainers` trainers on a fresh state that holds the characters of a text file as a dataset. */
export async function startBenchLocal(
  name: string,
  text: string,
  trainers: number,
): Promise<{ local: Local; dataset: string; state: string }> {
  stopOnExit();
  const state = join(ROOT, ".tiffin", `bench-${name}`);
  await wantedPort(BENCH_PORT);
  rmSync(state, { recursive: true, force: true });
  const { hash, objects } = await charDataset(readText(text));
  putLocalObjects(state, objects);
  return { local: await startLocal({ state, port: BENCH_PORT, trainers }), dataset: hash, state };
}

/** Starts a run and waits for its end. Throws if the run fails. */
export async function shakespeareRun(local: Local, request: Record<string, unknown>, print: Print): Promise<RunStatus> {
  const client = new Client(local.url, local.token);
  const { run } = await client.call("POST", "/runs", startedRunSchema, request);
  let reportedAt = 0;
  const onStatus = (status: RunStatus): void => {
    if (Date.now() - reportedAt < REPORT_MS) return;
    reportedAt = Date.now();
    const loss = status.losses.at(-1)?.loss.toFixed(3) ?? "-";
    print(`${status.state}, round ${status.round} of ${status.rounds}, loss ${loss}, ${status.tokensPerSecond ?? "-"} tokens/s`);
  };
  return pollRun(client, run, isDone, { pollMs: POLL_MS, timeoutMs: RUN_TIMEOUT_MS, onStatus });
}
