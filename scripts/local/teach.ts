/**
 * The lessons stage of `npm start`, over HTTP. It posts lessons of the grammar and returns the request of the run that teaches
 * them. The number of lessons is chosen so that teaching takes about a quarter of the training time. Later this stage asks
 * questions whose answers depend on the situation.
 */
import { createHash } from "node:crypto";
import { answerSchema } from "../../shared/contracts/generate.ts";
import { predictionsSchema, type Predictions } from "../../shared/contracts/predict.ts";
import type { Context } from "../../shared/lessons/context.ts";
import { drawLessons } from "../lessons/lessons.ts";
import { SONG_ANSWERS } from "../lessons/songs.ts";
import type { Client } from "./client.ts";
import { postLessons } from "./post-lessons.ts";

const SEED = 1;
/**
 * What a lesson costs, in tokens of pretraining. A lesson takes 72 positions, including padding. A position costs a seventh more
 * than in pretraining, because batches are shorter, and one record in eight is a piece of text instead of a lesson.
 */
export const TOKENS_OF_A_LESSON = 94;
/** One lesson per this many tokens of pretraining: the lessons take a quarter of the training time or a little less. */
const TOKENS_PER_LESSON = 300;
/**
 * A model needs this many lessons to answer, even after a short pretraining: with 1,100 lessons every question got the same
 * answer. scripts/bench/README.md has the comparison.
 */
const ENOUGH_LESSONS = 3000;
/** A very short pretraining, as for a trial, gets fewer lessons: one per this many tokens. */
const TOKENS_PER_FIRST_LESSON = 50;
const [MIN_LESSONS, MAX_LESSONS] = [200, 20_000];
/** Factors on the learning rate that were measured at two counts of lessons. More lessons need a lower rate and forget less. */
const [FEW, MANY] = [
  { lessons: ENOUGH_LESSONS, lrScale: 0.6 },
  { lessons: 5000, lrScale: 0.25 },
];

/** The factor on the learning rate: on the line between the two measured points, and constant beyond them. */
export function lrScaleOf(lessons: number): number {
  const share = (lessons - FEW.lessons) / (MANY.lessons - FEW.lessons);
  return FEW.lrScale + Math.min(1, Math.max(0, share)) * (MANY.lrScale - FEW.lrScale);
}

/** The number of lessons after a pretraining of `tokens` tokens. */
export function lessonCount(tokens: number): number {
  const count = Math.min(tokens / TOKENS_PER_FIRST_LESSON, Math.max(ENOUGH_LESSONS, tokens / TOKENS_PER_LESSON));
  return Math.floor(Math.min(MAX_LESSONS, Math.max(MIN_LESSONS, count)));
}

/** Posts lessons for a model that was trained on `tokens` tokens. Returns the request of the run that teaches the model. */
export async function prepareLessons(
  client: Client,
  { model, tokens, preset }: { model: string; tokens: number; preset: string },
): Promise<{ count: number; request: Record<string, unknown> }> {
  const count = lessonCount(tokens);
  const id = await postLessons(client, drawLessons(SEED, count));
  const name = createHash("sha256")
    .update(`${model} ${id} ${lrScaleOf(count)}`)
    .digest("hex")
    .slice(0, 16);
  return { count, request: { name: `lessons-${name}`, objective: "sft", preset, from: model, lessons: id, lrScale: lrScaleOf(count) } };
}

/** A question in a situation, the model's answer, and the model's probability of each answer in the lessons. */
export interface ShownAnswer {
  text: string;
  context: Context;
  response: string;
  predictions: Predictions["answers"];
}

const SITUATIONS: readonly { text: string; context: Context; candidates?: readonly string[] }[] = [
  { text: "I need songs", context: { time: 6, place: "gym" }, candidates: SONG_ANSWERS },
  { text: "I need songs", context: { time: 22, place: "party" }, candidates: SONG_ANSWERS },
  { text: "I want filter coffee", context: { time: 8 } },
  { text: "I want filter coffee", context: { time: 22 } },
];

export async function askInSituations(client: Client): Promise<ShownAnswer[]> {
  const shown: ShownAnswer[] = [];
  for (const { text, context, candidates } of SITUATIONS) {
    const { response } = await client.call("POST", "/generate", answerSchema, { text, context, temperature: 0, candidates: 1 });
    const { answers } = await client.call("POST", "/predict", predictionsSchema, { text, context, candidates });
    shown.push({ text, context, response, predictions: answers });
  }
  return shown;
}

/** The answer as a text for people: the question, its situation, the answer, and the shares of the most probable answers. */
export function describeAnswer({ text, context, response, predictions }: ShownAnswer): string {
  const situation = Object.entries(context).map(([key, value]) => `${key} ${value}`);
  const likely = predictions.filter(({ raw }) => raw >= 0.01).slice(0, 3);
  const shares = likely.map((answer) => `  ${String(Math.round(100 * answer.raw)).padStart(3)} %  ${answer.text}`);
  return [`> ${text} (${situation.join(", ")})`, response, ...shares].join("\n");
}
