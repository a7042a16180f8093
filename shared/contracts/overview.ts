/**
 * The state of the whole pipeline, open to everyone: numbers only, no texts and no addresses. If a part is down, its field is
 * null and the other parts are still shown.
 */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { healthSchema } from "./health.ts";
import { modelSchema } from "./models.ts";
import { runTickSchema } from "./runs.ts";

/** Answers and votes are counted up to this number. */
export const MOST_COUNTED = 10_000;

export const corpusTotalsSchema = z.object({
  sources: z.int(),
  /** The number of texts in the corpus, and their UTF-8 bytes. */
  documents: z.int(),
  bytes: z.int(),
  /** The newest crawl. */
  crawl: z
    .object({
      state: z.enum(["running", "done"]),
      queued: z.int(),
      fetched: z.int(),
      failed: z.int(),
      documents: z.int(),
      startedAt: z.string(),
      finishedAt: z.string().nullable(),
    })
    .nullable(),
});
export type CorpusTotals = z.output<typeof corpusTotalsSchema>;

export const trainingTotalsSchema = z.object({
  runs: z.int(),
  /** The newest run that is not over; if all are over, the newest run. */
  run: runTickSchema.nullable(),
  /** The newest run that trains on text. It differs from `run` if the newest run teaches lessons. */
  pretraining: runTickSchema.nullable(),
  models: z.int(),
  /** The active language model. */
  active: modelSchema.pick({ model: true, run: true, valLoss: true, publishedAt: true }).extend({ tokenizer: hashSchema }).nullable(),
});
export type TrainingTotals = z.output<typeof trainingTotalsSchema>;

export const feedbackTotalsSchema = z.object({
  /** Answers of the last 24 hours, and how many answers people voted on in that time. */
  answers: z.int(),
  voted: z.int(),
});
export type FeedbackTotals = z.output<typeof feedbackTotalsSchema>;

export const overviewSchema = z.object({
  parts: healthSchema.shape.parts,
  corpus: corpusTotalsSchema.nullable(),
  training: trainingTotalsSchema.nullable(),
  feedback: feedbackTotalsSchema.nullable(),
  checkedAt: z.string(),
});
export type Overview = z.output<typeof overviewSchema>;
