/** The probabilities of whole answers, of which `POST /generate` draws one. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { contextSchema } from "../lessons/context.ts";

export const predictRequestSchema = z.strictObject({
  text: z.string().min(1).max(4000),
  context: contextSchema.optional(),
  /** The answers to compare; left out: the most probable short answers are looked for. */
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
  /** Among the answers of this list: they add up to 1. */
  probability: z.number(),
  /** Among all answers that the model could give: that it says this text and ends. */
  raw: z.number(),
});

export const predictionsSchema = z.object({
  /** Most probable first. */
  answers: z.array(predictionSchema),
  model: hashSchema,
});
export type Predictions = z.output<typeof predictionsSchema>;
