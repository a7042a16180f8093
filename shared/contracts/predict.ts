/** The probabilities of whole answers. `POST /generate` samples one such answer. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { contextSchema } from "../lessons/context.ts";

export const predictRequestSchema = z.strictObject({
  text: z.string().min(1).max(4000),
  context: contextSchema.optional(),
  /** The answers to compare. Without this field, the generator searches for the most probable short answers. */
  candidates: z
    .array(z.string().trim().min(1).max(256))
    .min(1)
    .max(32)
    .refine((texts) => new Set(texts).size === texts.length, { error: "expected different texts" })
    .optional(),
});
export type PredictRequest = z.output<typeof predictRequestSchema>;

export const predictionSchema = z.object({
  text: z.string(),
  /** The probability among the listed answers; these probabilities sum to 1. */
  probability: z.number(),
  /** The probability that the model gives exactly this text and then ends. */
  raw: z.number(),
});

export const predictionsSchema = z.object({
  /** Most probable first. */
  answers: z.array(predictionSchema),
  model: hashSchema,
});
export type Predictions = z.output<typeof predictionsSchema>;
