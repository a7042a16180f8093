/** A question to the active model, and its answer. */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import type { Format } from "../generation/constraint/constraint.ts";
import { contextSchema } from "../lessons/context.ts";

/**
 * Candidates per answer; people's scores choose among them. A streamed answer has one candidate, because its text is sent before
 * candidates could be ranked.
 */
export const DEFAULT_CANDIDATES = 3;

export const logitBiasSchema = z
  .record(z.string().regex(/^\d{1,5}$/, "expected token ids"), z.number().min(-100).max(100))
  .refine((biases) => Object.keys(biases).length <= 300, "expected at most 300 tokens");

/** A JSON Schema, of which generation/constraint/json-schema.ts supports a part. */
export const jsonSchemaSchema = z.record(z.string(), z.unknown());

const formatSchema = z
  .union([z.literal("json"), z.strictObject({ schema: jsonSchemaSchema }), z.strictObject({ pattern: z.string().min(1) })], {
    error: 'expected "json", {"schema": {...}} or {"pattern": "..."}',
  })
  .transform((format): Format => {
    if (format === "json") return { kind: "json" };
    return "schema" in format ? { kind: "schema", schema: format.schema } : { kind: "pattern", pattern: format.pattern };
  });

const fields = z.strictObject({
  text: z.string().min(1).max(4000),
  /** Facts about the situation (time, place, topic). The model reads them before the text (lessons/context.ts). */
  context: contextSchema.optional(),
  temperature: z.number().min(0).max(2).default(0.7),
  topK: z.int().min(1).max(65_536).default(40),
  topP: z.number().gt(0).max(1).default(0.95),
  minP: z.number().min(0).max(1).default(0),
  presencePenalty: z.number().min(-2).max(2).default(0),
  frequencyPenalty: z.number().min(-2).max(2).default(0),
  repetitionPenalty: z.number().min(0.1).max(10).default(1),
  /** Numbers to add to the logits, by token id. -100 practically forbids a token; 100 practically forces it. */
  logitBias: logitBiasSchema.default({}),
  maxTokens: z.int().min(1).max(8192).default(64),
  candidates: z.int().min(1).max(8).optional(),
  seed: z.int().min(0).max(0xffff_ffff).optional(),
  stop: z.array(z.string().min(1).max(64)).max(4).default([]),
  /** The answer is a JSON object, JSON of a schema, or a text that fits a regular expression. */
  format: formatSchema.optional(),
  /** Streams the answer as server-sent events: start, text (repeated), then done or error. */
  stream: z.boolean().default(false),
});
export const generateRequestSchema = fields.refine(({ stream, candidates = 1 }) => !stream || candidates === 1, {
  error: "expected 1 candidate for a streamed answer",
  path: ["candidates"],
});
export type GenerateRequest = z.output<typeof generateRequestSchema>;

export const candidateSchema = z.object({
  response: z.string(),
  /** Mean of the scores that people gave to the same text; 0 without scores. */
  reward: z.number(),
  /** Mean log probability per token, nats. */
  logProbability: z.number(),
});
export type Candidate = z.output<typeof candidateSchema>;

export const answerSchema = z.object({
  response: z.string(),
  id: z.string(),
  /** False when the answer could not be stored. Then nobody can vote on it. */
  canBeScored: z.boolean(),
  /** Lets its owner vote on the answer (POST /feedback); null if nobody can. */
  receipt: z.string().nullable().default(null),
  model: hashSchema,
  candidates: z.array(candidateSchema),
  usage: z.object({ promptTokens: z.int(), completionTokens: z.int() }),
});
export type Answer = z.output<typeof answerSchema>;

export const tokenizeRequestSchema = z.strictObject({ text: z.string() });
export const tokenizedSchema = z.object({ model: hashSchema, tokens: z.array(z.int()) });
export const detokenizeRequestSchema = z.strictObject({ tokens: z.array(z.int().min(0).max(65_535)) });
export const detokenizedSchema = z.object({ model: hashSchema, text: z.string() });
