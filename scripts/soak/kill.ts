/**
 * `npm run soak -- kill [--kills N] [--seed N] [--json]`: SIGKILL of all processes at random moments of one training run (T1 of the
 * reliability design), each followed by a start, until the run is done. Its last checkpoint must be that of an
 * undisturbed run of the same work. The moments come from a seed, the machine's own timing does the rest.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom } from "../../shared/model/random.ts";
import { Client } from "../local/client.ts";
import { serveDocs } from "../local/docs-site.ts";
import { startLocal, type Local } from "../local/stack.ts";
import type { Print } from "../cli/runner.ts";
import { freePort, stopOnExit, wantedPort } from "../local/processes.ts";
import { ROOT } from "../local/workers.ts";

const STATE = join(ROOT, ".tiffin", "soak-kill");
const PORT = 8887;
const PAGES = 40;
/** 200 rounds of preset tiny with four local steps: long enough that thirty kills fall into them. */
const ROUNDS = 200;
const STEPS = 4;
/** Sequences of a step, steps, shards, context. */
const TOKENS_PER_ROUND = 8 * STEPS * 2 * 64;
const POLL_MS = 50;
/** A life between start and kill: long enough for a round or two, short enough that the kills fit into the run. */
const MAX_LIFE_MS = 500;
const RUN_TIMEOUT_MS = 600_000;

interface Status {
  state: string;
  round: number | null;
  checkpoint: string | null;
  error: string | null;
}

/** Polls until the condition holds; answers that fail (the processes may be starting) are asked for again. */
async function until(client: Client, id: string, holds: (status: Status) => boolean): Promise<Status> {
  const deadline = Date.now() + RUN_TIMEOUT_MS;
  for (;;) {
    const status = await client.call<Status>("GET", `/runs/${id}`);
    if (status.state === "failed") throw new Error(`run ${id}: ${status.error}`);
    if (holds(status)) return status;
    if (Date.now() > deadline)
      throw new Error(`run ${id}: expected progress within ${RUN_TIMEOUT_MS / 1000} s, got ${JSON.stringify(status)}`);
    await sleep(POLL_MS);
  }
}

export const FLAGS = { kills: 30, seed: 1 };

export async function run({ kills, seed }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  const random = createRandom(seed);
  stopOnExit();
  await wantedPort(PORT);
  rmSync(STATE, { recursive: true, force: true });
  const docs = await freePort(0);
  await serveDocs(docs);
  const site = `http://127.0.0.1:${docs}/`;
  const start = () => startLocal({ localOrigin: new URL(site).origin, state: STATE, port: PORT });

  let local: Local = await start();
  let client = new Client(local.url, local.token);
  const source = await client.call<{ id: string }>("POST", "/sources", { url: site, pageBudget: PAGES });
  const [crawl] = await client.call<{ id: string }[]>("POST", "/crawls", { source: source.id });
  for (;;) {
    const { state } = await client.call<{ state: string }>("GET", `/crawls/${crawl!.id}`);
    if (state === "done") break;
    await sleep(POLL_MS);
  }
  const request = { preset: "tiny", tokens: ROUNDS * TOKENS_PER_ROUND, steps: STEPS, seed: 7 };
  await client.call("POST", "/runs", { ...request, name: "clean" });
  const clean = await until(client, "clean", (status) => status.state === "done");
  print(`undisturbed: ${clean.checkpoint}`);

  await client.call("POST", "/runs", { ...request, name: "killed" });
  let before = (await until(client, "killed", (status) => (status.round ?? 0) > 0)).round ?? 0;
  let done = 0;
  let maxStartSeconds = 0;
  let maxResumeSeconds = 0;
  while (done < kills) {
    await sleep(random() * MAX_LIFE_MS);
    await local.kill();
    done++;
    const startedAt = Date.now();
    local = await start();
    // How long wrangler needs to bundle and start seven Workers is its own affair, so it is a figure of its own.
    const upAt = Date.now();
    client = new Client(local.url, local.token);
    const status = await until(client, "killed", (now) => now.state === "done" || (now.round ?? 0) > before);
    const seconds = { start: (upAt - startedAt) / 1000, resume: (Date.now() - upAt) / 1000 };
    maxStartSeconds = Math.max(maxStartSeconds, seconds.start);
    maxResumeSeconds = Math.max(maxResumeSeconds, seconds.resume);
    print(
      `kill ${done} after round ${before}: up after ${seconds.start.toFixed(1)} s, a new round seen ${seconds.resume.toFixed(1)} s later, now at ${status.round} ${status.state}`,
    );
    if (status.state === "done") break;
    before = status.round ?? before;
  }
  const end = await until(client, "killed", (status) => status.state === "done");
  await local.stop();
  const equal = end.checkpoint === clean.checkpoint;
  return {
    kills: done,
    hash: end.checkpoint,
    cleanHash: clean.checkpoint,
    equal,
    maxStartSeconds,
    maxResumeSeconds,
    ok: equal && done >= kills,
  };
}
