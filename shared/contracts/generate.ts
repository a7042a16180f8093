/** A question to the active model, and its answer. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";

export const generateRequestSchema = z.strictObject({
  text: z.string().min(1).max(4000),
  /** Anything that bears on the answer (time, place, topic); read before the text, one "key: value" line each. */
  context: z.record(z.string().max(64), z.string().max(256)).optional(),
  temperature: z.number().min(0).max(2).default(0.7),
  topK: z.int().min(1).max(65_536).default(40),
  topP: z.number().gt(0).max(1).default(0.95),
  maxTokens: z.int().min(1).max(256).default(64),
  candidates: z.int().min(1).max(8).default(3),
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  stop: z.array(z.string().min(1).max(64)).max(4).default([]),
});
export type GenerateRequest = z.output<typeof generateRequestSchema>;

export const candidateSchema = z.object({
  response: z.string(),
  /** Mean score that people gave the same text before; 0 if nobody did. */
  reward: z.number(),
  /** Mean per token, nats. */
  logProbability: z.number(),
});
export type Candidate = z.output<typeof candidateSchema>;

export const answerSchema = z.object({
  response: z.string(),
  id: z.string(),
  /** False when the answer could not be kept, so that its id is unknown to POST /feedback. */
  canBeScored: z.boolean(),
  model: hashSchema,
  candidates: z.array(candidateSchema),
  usage: z.object({ promptTokens: z.int(), completionTokens: z.int() }),
});
export type Answer = z.output<typeof answerSchema>;
