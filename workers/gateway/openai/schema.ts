/**
 * The requests of OpenAI's protocol (platform.openai.com/docs/api-reference) that Tiffin supports. Unknown fields are ignored.
 * Known fields that Tiffin does not support are refused by name, unless they have a value without effect.
 */
import { z } from "zod";
import { jsonSchemaSchema, logitBiasSchema } from "../../../shared/contracts/generate.ts";
import type { Format } from "../../../shared/generation/constraint/constraint.ts";
import type { GenerationRequest } from "../../../shared/contracts/generation.ts";

const MAX_MESSAGES = 256;
/** OpenAI's default for the completions route. Chats get as many tokens as fit into the context. */
const COMPLETION_TOKENS = 16;

/** A field that must be absent or have a value without effect. */
function refused(...neutral: unknown[]) {
  return z
    .unknown()
    .optional()
    .refine((value) => value === undefined || value === null || neutral.some((same) => JSON.stringify(same) === JSON.stringify(value)), {
      error: "not supported here: leave it out",
    });
}

const stop = z
  .union([z.string().min(1).max(64), z.array(z.string().min(1).max(64)).max(4)])
  .nullish()
  .transform((value) => (typeof value === "string" ? [value] : (value ?? [])));
const tokens = z.int().min(1).max(1_000_000).nullish();

const responseFormat = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object") }),
    z.object({ type: z.literal("json_schema"), json_schema: z.object({ schema: jsonSchemaSchema }) }),
  ])
  .nullish();

const common = {
  model: z.string().max(256),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  n: z.int().min(1).max(8).nullish(),
  seed: z.int().nullish(),
  stop,
  max_tokens: tokens,
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: logitBiasSchema.nullish(),
  response_format: responseFormat,
  // These fields are not OpenAI's, but other servers of this protocol know them.
  structured_outputs: z.object({ regex: z.string().min(1).nullish() }).nullish(),
  top_k: z.int().min(0).max(65_536).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().min(0.1).max(10).nullish(),
};

const part = z.object({ type: z.literal("text", { error: "expected text, the only supported type of part" }), text: z.string() });
const content = z
  .union([z.string(), z.array(part)])
  .transform((value) => (typeof value === "string" ? value : value.map(({ text }) => text).join("")));
const message = z.object({
  role: z.enum(["system", "developer", "user", "assistant"]).transform((role) => (role === "developer" ? "system" : role)),
  content,
});

export const chatRequestSchema = z.object({
  ...common,
  messages: z.array(message).min(1).max(MAX_MESSAGES),
  max_completion_tokens: tokens,
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  tools: refused([]),
  functions: refused([]),
  modalities: refused(["text"]),
});
export type ChatRequest = z.output<typeof chatRequestSchema>;

const prompt = z.union([z.string().min(1), z.tuple([z.string().min(1)]), z.array(z.int().min(0).max(65_535)).min(1)], {
  error: "expected one text or one list of token ids",
});

const completionFields = z.object({
  ...common,
  prompt,
  logprobs: z.int().min(0).max(5).nullish(),
  max_tokens: z.int().min(0).max(1_000_000).nullish(),
  echo: z.boolean().nullish(),
  /** Makes so many texts and shows the `n` most probable ones. */
  best_of: z.int().min(1).max(8).nullish(),
  suffix: refused(""),
});
export const completionRequestSchema = completionFields
  .refine(({ n, best_of: most }) => (most ?? 8) >= (n ?? 1), { path: ["best_of"], error: "expected at least n" })
  .refine(({ stream, best_of: most, n }) => stream !== true || (most ?? 1) <= (n ?? 1), {
    path: ["best_of"],
    error: "expected n for a streamed answer, because its texts are sent before they can be compared",
  });
export type CompletionRequest = z.output<typeof completionRequestSchema>;

type Sampling = Omit<GenerationRequest, "prompt" | "maxTokens" | "logProbabilities" | "echo" | "trim">;

/** The settings that chats and completions share. Absent fields get the defaults of POST /generate. */
function samplingOf(request: ChatRequest | CompletionRequest): Sampling {
  return {
    temperature: request.temperature ?? 0.7,
    topK: request.top_k ?? 40,
    minP: request.min_p ?? 0,
    presencePenalty: request.presence_penalty ?? 0,
    frequencyPenalty: request.frequency_penalty ?? 0,
    repetitionPenalty: request.repetition_penalty ?? 1,
    logitBias: request.logit_bias ?? {},
    // OpenAI allows 0, which means that only the most probable token remains. A tiny number above 0 has the same effect.
    topP: Math.max(request.top_p ?? 0.95, Number.MIN_VALUE),
    choices: request.n ?? 1,
    seed: request.seed === null || request.seed === undefined ? null : request.seed >>> 0,
    stop: request.stop,
    format: formatOf(request),
  };
}

function formatOf({ response_format: format, structured_outputs: outputs }: ChatRequest | CompletionRequest): Format | null {
  if (format?.type === "json_object") return { kind: "json" };
  if (format?.type === "json_schema") return { kind: "schema", schema: format.json_schema.schema };
  const pattern = outputs?.regex ?? null;
  return pattern === null ? null : { kind: "pattern", pattern };
}

export function chatGeneration(request: ChatRequest): GenerationRequest {
  const maxTokens = request.max_completion_tokens ?? request.max_tokens ?? null;
  const logProbabilities = request.logprobs === true ? (request.top_logprobs ?? 0) : null;
  return {
    ...samplingOf(request),
    prompt: { kind: "chat", messages: request.messages },
    maxTokens,
    logProbabilities,
    echo: false,
    trim: true,
  };
}

export function completionGeneration(request: CompletionRequest): GenerationRequest {
  const [first] = request.prompt;
  const isText = typeof request.prompt === "string" || typeof first === "string";
  const text = typeof request.prompt === "string" ? request.prompt : String(first);
  const ids = Array.isArray(request.prompt) ? request.prompt.filter((id) => typeof id === "number") : [];
  const read = isText ? ({ kind: "text", text } as const) : ({ kind: "tokens", ids } as const);
  const maxTokens = request.max_tokens ?? COMPLETION_TOKENS;
  const choices = request.best_of ?? request.n ?? 1;
  const echo = request.echo ?? false;
  return { ...samplingOf(request), prompt: read, maxTokens, choices, logProbabilities: request.logprobs ?? null, echo, trim: false };
}
