/** What the benches on tinyshakespeare share: its characters as a dataset, Tiffin started on a state of its own, a run to its end. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunStatus } from "../../../workers/coordinator/status.ts";
import { charDataset } from "./char-dataset.ts";
import { Client } from "../../local/client.ts";
import { putLocalObjects } from "./local-objects.ts";
import { startLocal, type Local } from "../../local/stack.ts";
import type { Print } from "../../cli/runner.ts";
import { stopOnExit, wantedPort } from "../../local/processes.ts";
import { ROOT } from "../../local/workers.ts";

/** Where the text is unless a bench is told with `--text FILE`. */
export const SHAKESPEARE = join(ROOT, "..", "shared", "data", "tinyshakespeare.txt");
const BENCH_PORT = 8888;
const POLL_MS = 1000;
const REPORT_MS = 10_000;
const RUN_TIMEOUT_MS = 3_600_000;

/** Throws when the text is not there: it is data, not part of the source. */
export function readText(path: string): string {
  if (existsSync(path)) return readFileSync(path, "utf8");
  throw new Error(
    `--text: expected a text file, found none at ${path}: name one (the figures of README.md are of tinyshakespeare, data/tinyshakespeare/input.txt of github.com/karpathy/char-rnn)`,
  );
}

/** Starts everything on an empty state that holds the characters of a text file as a dataset, with so many trainers in all. */
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

/** Starts a run and waits for its end. Throws when it fails. */
export async function shakespeareRun(local: Local, request: Record<string, unknown>, print: Print): Promise<RunStatus> {
  const client = new Client(local.url, local.token);
  const { run } = await client.call<{ run: string }>("POST", "/runs", request);
  const deadline = Date.now() + RUN_TIMEOUT_MS;
  let reportedAt = 0;
  for (;;) {
    const status = await client.call<RunStatus>("GET", `/runs/${run}`);
    if (status.state === "failed") throw new Error(`run ${run}: ${status.error}`);
    if (status.state === "done") return status;
    if (Date.now() > deadline) throw new Error(`run ${run}: expected an end within ${RUN_TIMEOUT_MS / 1000} s, got ${status.state}`);
    if (Date.now() - reportedAt > REPORT_MS) {
      reportedAt = Date.now();
      const loss = status.losses.at(-1)?.loss.toFixed(3) ?? "-";
      print(`${status.state}, round ${status.round} of ${status.rounds}, loss ${loss}, ${status.tokensPerSecond ?? "-"} tokens/s`);
    }
    await sleep(POLL_MS);
  }
}
