/**
 * `npm run bench -- classify [--lessons N] [--hidden SIZES] [--activation NAME] [--features N] [--seed N] [--json]`: how well a
 * classifier learns the lessons of scripts/lessons, and how long that takes. The lessons are posted, learned in a run and asked
 * over HTTP, on the real Workers with a trainer per core. The questions are those of the bench `lessons`: their phrasings or
 * combinations of contexts are in no lesson. Every label of every family is a candidate; `amongCandidates` compares only the
 * answers of the question's family, as the bench `lessons` does. Defaults are those of the preset.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { classificationSchema, type Classification } from "../../shared/contracts/classify.ts";
import { startedRunSchema } from "../../shared/contracts/runs.ts";
import { DENSE_PRESETS } from "../../shared/network-config.ts";
import type { Print } from "../cli/runner.ts";
import { drawLabelled, heldOutQuestions } from "../lessons/lessons.ts";
import { Client } from "../local/client.ts";
import { postLessons } from "../local/post-lessons.ts";
import { isDone, pollRun, untilActive } from "../local/poll-run.ts";
import { stopOnExit, wantedPort } from "../local/processes.ts";
import { startLocal } from "../local/stack.ts";
import { ROOT } from "../local/workers.ts";
import { rightAnswers } from "./support/lessons/right-answers.ts";
import { mean, median } from "./support/statistics.ts";

const STATE = join(ROOT, ".tiffin", "bench-classify");
const PORT = 8889;
const POLL_MS = 100;
const TIMEOUT_MS = 600_000;
const { features, hidden, activation } = DENSE_PRESETS["classifier"]!.model;
/** The goals: right on nine of ten held-out combinations after 20 seconds. */
const [LEAST_RIGHT, MOST_SECONDS] = [0.9, 20];

export const FLAGS = { lessons: 12_000, hidden: hidden.join(), activation: activation as string, features, seed: 1 };

export async function run(flags: typeof FLAGS, print: Print): Promise<Record<string, unknown>> {
  stopOnExit();
  await wantedPort(PORT);
  rmSync(STATE, { recursive: true, force: true });
  const local = await startLocal({ state: STATE, port: PORT });
  try {
    const client = new Client(local.url, local.token);
    const lessons = await postLessons(client, drawLabelled(flags.seed, flags.lessons));
    const sizes = flags.hidden === "" ? [] : flags.hidden.split(",").map(Number);
    const network = { features: flags.features, hidden: sizes, activation: flags.activation };
    const request = { name: "classifier", objective: "classify", lessons, network, seed: flags.seed };
    const startedAt = Date.now();
    const { run: id } = await client.call("POST", "/runs", startedRunSchema, request);
    const status = await pollRun(client, id, isDone, { pollMs: POLL_MS, timeoutMs: TIMEOUT_MS });
    await untilActive(client, status.checkpoint, request, POLL_MS);
    const seconds = (Date.now() - startedAt) / 1000;
    print(
      `${status.rounds} rounds, ${status.parameters} parameters, validation loss ${status.valLoss}, counting labels ${status.unigramLoss}`,
    );
    const exam = await examine(client, status.checkpoint!, print);
    const { trainingSeconds, computeSeconds, parameters, rounds, valLoss, unigramLoss, checkpoint } = status;
    const ok = exam.combinationsTopOne >= LEAST_RIGHT && trainingSeconds! <= MOST_SECONDS;
    return {
      ...exam,
      trainingSeconds,
      secondsUntilActive: seconds,
      computeSeconds,
      parameters,
      rounds,
      valLoss,
      unigramLoss,
      checkpoint,
      ok,
    };
  } finally {
    await local.stop();
  }
}

async function examine(client: Client, model: string, print: Print) {
  const ask = (text: string, context: object) => client.call("POST", "/classify", classificationSchema, { text, context });
  // An isolate asks for the active model once a second.
  while ((await ask("a", {})).model !== model);
  const families = new Map<string, number[]>();
  const [combinations, among, errors, milliseconds]: number[][] = [[], [], [], []];
  for (const question of heldOutQuestions()) {
    const { family, text, context, answers, candidates, isCombination } = question;
    const startedAt = performance.now();
    const { labels } = await ask(text, context);
    milliseconds!.push(performance.now() - startedAt);
    const right = rightAnswers(question);
    const isRight = right.has(labels[0]!.label) ? 1 : 0;
    families.set(family, [...(families.get(family) ?? []), isRight]);
    if (isCombination) combinations!.push(isRight);
    among!.push(right.has(labels.find(({ label }) => candidates.includes(label))!.label) ? 1 : 0);
    if (answers.length > 1) for (const answer of answers) errors!.push(Math.abs(answer.probability - probabilityOf(labels, answer.text)));
  }
  for (const [family, found] of families)
    print(`${family.padEnd(12)} ${String(found.length).padStart(4)} questions: ${Math.round(100 * mean(found))} % right`);
  const songs = async (context: object, kind: string) =>
    probabilityOf((await ask("I need songs", context)).labels, `Here is a ${kind} playlist.`);
  return {
    heldOutTopOne: mean([...families.values()].flat()),
    combinationsTopOne: mean(combinations!),
    amongCandidates: mean(among!),
    songsGym: await songs({ time: "06:00", place: "gym" }, "workout"),
    songsParty: await songs({ time: "22:00", place: "party" }, "party"),
    calibrationError: mean(errors!),
    medianMilliseconds: median(milliseconds!),
  };
}

const probabilityOf = (labels: Classification["labels"], wanted: string): number =>
  labels.find(({ label }) => label === wanted)?.probability ?? 0;
