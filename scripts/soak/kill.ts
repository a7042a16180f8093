/**
 * `npm run soak -- kill [--kills N] [--seed N] [--objective NAME] [--json]`: during one training run, kills all processes at
 * random moments and starts them again, until the run is done (T1 of the reliability design). The last checkpoint must equal the
 * last checkpoint of an undisturbed run. The seed decides the moments; the machine's own timing still varies. The objective is
 * pretrain, sft (on a model that is pretrained first) or classify.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { presetOf } from "../../shared/config.ts";
import type { RunStatus } from "../../shared/contracts/runs.ts";
import { crawlSchema, sourceSchema } from "../../shared/contracts/sources.ts";
import { createRandom } from "../../shared/model/random.ts";
import type { Print } from "../cli/runner.ts";
import { drawLabelled, drawLessons } from "../lessons/lessons.ts";
import { Client } from "../local/client.ts";
import { serveDocs } from "../local/docs-site.ts";
import { postLessons } from "../local/post-lessons.ts";
import { isDone, pollRun, untilActive } from "../local/poll-run.ts";
import { freePort, stopOnExit, wantedPort } from "../local/processes.ts";
import { startLocal, type Local } from "../local/stack.ts";
import { ROOT } from "../local/workers.ts";

const STATE = join(ROOT, ".tiffin", "soak-kill");
const PORT = 8887;
const OBJECTIVES: readonly string[] = ["pretrain", "sft", "classify"];
const PAGES = 40;
/** 200 rounds with four local steps, of preset tiny or of a classifier: long enough for thirty kills. */
const ROUNDS = 200;
const STEPS = 4;
/** Examples per step, steps, shards. */
const EXAMPLES_PER_ROUND = 8 * STEPS * 2;
/** Rounds of the model that a run with objective sft teaches. */
const BASE_ROUNDS = 5;
/** Lessons of a run with objective sft or classify. */
const LESSONS = 2000;
const POLL_MS = 50;
/** Time between a start and a kill. It is long enough for a round or two, and short enough that all kills happen during the run. */
const MAX_LIFE_MS = 500;
const RUN_TIMEOUT_MS = 600_000;

export const FLAGS = { kills: 30, seed: 1, objective: "pretrain" };

/** Makes what the run needs, and returns its request. */
async function prepare(client: Client, site: string, objective: string): Promise<Record<string, unknown>> {
  const usual = { preset: "tiny", tokens: ROUNDS * EXAMPLES_PER_ROUND * presetOf("tiny").model.context, steps: STEPS, seed: 7 };
  if (objective === "classify") {
    const lessons = await postLessons(client, drawLabelled(1, LESSONS));
    return { ...usual, preset: "classifier", batch: 8, tokens: ROUNDS * EXAMPLES_PER_ROUND, lessons };
  }
  const source = await client.call("POST", "/sources", sourceSchema, { url: site, pageBudget: PAGES, quality: "basic" });
  const [crawl] = await client.call("POST", "/crawls", z.array(crawlSchema), { source: source.id });
  while ((await client.call("GET", `/crawls/${crawl!.id}`, crawlSchema)).state !== "done") await sleep(POLL_MS);
  if (objective === "pretrain") return usual;
  const base = { ...usual, name: "base", tokens: (BASE_ROUNDS * usual.tokens) / ROUNDS };
  await client.send("POST", "/runs", base);
  const { checkpoint } = await pollRun(client, "base", isDone, { pollMs: POLL_MS, timeoutMs: RUN_TIMEOUT_MS });
  await untilActive(client, checkpoint, base, POLL_MS);
  return { ...usual, objective, from: checkpoint, lessons: await postLessons(client, drawLessons(1, LESSONS)) };
}

export async function run({ kills, seed, objective }: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  if (!OBJECTIVES.includes(objective)) throw new Error(`--objective: expected ${OBJECTIVES.join(", ")}, got ${objective}`);
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
  const until = (id: string, holds: (status: RunStatus) => boolean) =>
    pollRun(client, id, holds, { pollMs: POLL_MS, timeoutMs: RUN_TIMEOUT_MS });
  const request = await prepare(client, site, objective);
  await client.send("POST", "/runs", { ...request, name: "clean" });
  const clean = await until("clean", isDone);
  print(`undisturbed: ${clean.checkpoint}`);

  await client.send("POST", "/runs", { ...request, name: "killed" });
  let before = (await until("killed", (status) => (status.round ?? 0) > 0)).round ?? 0;
  let done = 0;
  let maxStartSeconds = 0;
  let maxResumeSeconds = 0;
  while (done < kills) {
    await sleep(random() * MAX_LIFE_MS);
    await local.kill();
    done++;
    const startedAt = Date.now();
    local = await start();
    // wrangler's time to bundle and start seven Workers is reported separately from the run's time to resume.
    const upAt = Date.now();
    client = new Client(local.url, local.token);
    const status = await until("killed", (now) => isDone(now) || (now.round ?? 0) > before);
    const seconds = { start: (upAt - startedAt) / 1000, resume: (Date.now() - upAt) / 1000 };
    maxStartSeconds = Math.max(maxStartSeconds, seconds.start);
    maxResumeSeconds = Math.max(maxResumeSeconds, seconds.resume);
    print(
      `kill ${done} after round ${before}: up after ${seconds.start.toFixed(1)} s, a new round seen ${seconds.resume.toFixed(1)} s later, now at ${status.round} ${status.state}`,
    );
    if (isDone(status)) break;
    before = status.round ?? before;
  }
  const end = await until("killed", isDone);
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
