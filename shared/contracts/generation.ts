/**
 * The internal form of a generation. Each API of the gateway translates its protocol to this request and translates the events
 * back. The generator sends events as lines of JSON (application/x-ndjson), because RPC can stream bytes but not objects.
 */
import { z } from "zod";
import { hashSchema } from "../artifacts.ts";
import { answerSchema } from "./generate.ts";
import type { Format } from "../generation/constraint/constraint.ts";
import type { Context } from "../lessons/context.ts";
import type { Message } from "../tokenizer/chat-template.ts";

/** The text that the model continues. The generator renders the prompt, because the template depends on how the model was trained. */
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
  /** Changes to the logits; see shared/model/penalties.ts. */
  presencePenalty: number;
  frequencyPenalty: number;
  repetitionPenalty: number;
  logitBias: Record<string, number>;
  /** Maximum tokens per choice; null: up to the end of the context; 0: only the prompt is read. */
  maxTokens: number | null;
  /** Number of continuations of the prompt. Each continuation has its own seed. */
  choices: number;
  seed: number | null;
  stop: string[];
  /** The format that each text must have; null: any text. */
  format: Format | null;
  /** Alternatives to report per token, with their log probabilities; null: report no probabilities. */
  logProbabilities: number | null;
  /** Sends the prompt as it was read, with probabilities if the request asks for them. */
  echo: boolean;
  /** Removes white space at both ends of each text, unless it has a format. */
  trim: boolean;
}

const choice = z.int().nonnegative();
/** A token with its log probability. `bytes` is filled when the request asks for probabilities. */
const tokenSchema = z.object({ id: z.int(), logProbability: z.number(), bytes: z.array(z.int()).default([]) });

const promptTokenSchema = tokenSchema.extend({ logProbability: z.number().nullable(), alternatives: z.array(tokenSchema).default([]) });
/** A token of the prompt. The first token has no probability. */
export type PromptToken = z.output<typeof promptTokenSchema>;

export const generationEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("start"), id: z.string(), model: hashSchema, promptTokens: z.int() }),
  /** The prompt of a request with `echo`. */
  z.object({ type: z.literal("prompt"), text: z.string(), tokens: z.array(promptTokenSchema) }),
  tokenSchema.extend({ type: z.literal("token"), choice, alternatives: z.array(tokenSchema).default([]) }),
  /** New text, in whole characters. A later stop string cannot remove it. */
  z.object({ type: z.literal("text"), choice, delta: z.string() }),
  z.object({ type: z.literal("finish"), choice, reason: z.enum(["stop", "length"]) }),
  z.object({ type: z.literal("usage"), promptTokens: z.int(), completionTokens: z.int() }),
  /** The two terminal events. A stream ends with exactly one terminal event. */
  z.object({
    type: z.literal("done"),
    canBeScored: z.boolean(),
    isSuperseded: z.boolean(),
    /** Lets its owner vote on the first choice. The gateway signs it; null if nobody can vote. */
    receipt: z.string().nullable().default(null),
  }),
  z.object({ type: z.literal("error"), name: z.string(), message: z.string() }),
]);
/** An event as the gateway reads it. */
export type GenerationEvent = z.output<typeof generationEventSchema>;
/** An event as the generator writes it. */
export type WrittenEvent = z.input<typeof generationEventSchema>;
/** The end of the stream of a ranked answer; it comes after the events of all candidates. */
export const answerEventSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("answer"), answer: answerSchema }),
  z.object({ type: z.literal("error"), name: z.string(), message: z.string() }),
]);
export type AnswerEvent = z.output<typeof answerEventSchema>;
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
