/**
 * The one internal form of a generation: every door of the gateway translates its protocol to this request, and this stream of
 * events to its protocol. Events travel from the generator as lines of JSON (application/x-ndjson), because RPC carries byte streams.
 */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import type { Context } from "../lessons/context.ts";
import type { Message } from "../tokenizer/chat-template.ts";

/** The text that the model continues. The generator renders it, because the form depends on the training of the model. */
export type Prompt =
  | { kind: "question"; text: string; context: Context }
  | { kind: "chat"; messages: Message[] }
  | { kind: "text"; text: string }
  | { kind: "tokens"; ids: number[] };

export interface GenerationRequest {
  prompt: Prompt;
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  /** shared/model/penalties.ts says how each changes the logits. */
  presencePenalty: number;
  frequencyPenalty: number;
  repetitionPenalty: number;
  logitBias: Record<string, number>;
  /** Tokens per choice; null for as many as the context has room for. */
  maxTokens: number | null;
  /** Continuations of the one prompt, each with a seed of its own. */
  choices: number;
  seed: number | null;
  stop: string[];
  /** How many alternatives are named beside each token's probability; null for no probabilities. */
  logProbabilities: number | null;
  /** Leaves out white space around each text. */
  trim: boolean;
}

const choice = z.int().nonnegative();
/** A token with its probability; its bytes are named when the request asks for probabilities. */
const tokenSchema = z.object({ id: z.int(), logProbability: z.number(), bytes: z.array(z.int()).default([]) });

export const generationEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), id: z.string(), model: hashSchema, promptTokens: z.int() }),
  tokenSchema.extend({ type: z.literal("token"), choice, alternatives: z.array(tokenSchema).default([]) }),
  /** Whole characters that no stop string can take back. */
  z.object({ type: z.literal("text"), choice, delta: z.string() }),
  z.object({ type: z.literal("finish"), choice, reason: z.enum(["stop", "length"]) }),
  z.object({ type: z.literal("usage"), promptTokens: z.int(), completionTokens: z.int() }),
  /** The two terminal events: a stream ends with exactly one of them. */
  z.object({ type: z.literal("done"), canBeScored: z.boolean(), isSuperseded: z.boolean() }),
  z.object({ type: z.literal("error"), name: z.string(), message: z.string() }),
]);
/** As the gateway reads it. */
export type GenerationEvent = z.output<typeof generationEventSchema>;
/** As the generator writes it. */
export type WrittenEvent = z.input<typeof generationEventSchema>;
export type TokenEvent = Extract<GenerationEvent, { type: "token" }>;

export function isTerminal({ type }: GenerationEvent): boolean {
  return type === "done" || type === "error";
}

/** The active model as clients see it. */
export interface ModelInfo {
  hash: string;
  publishedAt: string;
  context: number;
  vocabSize: number;
  layers: number;
  width: number;
  parameters: number;
}
