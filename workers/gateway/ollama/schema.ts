/** The requests of Ollama's protocol (github.com/ollama/ollama, docs/api.md) that Tiffin supports. Unknown fields are ignored. */
import { z } from "zod";
import { jsonSchemaSchema } from "../../../shared/contracts/generate.ts";
import type { Format } from "../../../shared/generation/constraint/constraint.ts";
import type { GenerationRequest, Prompt } from "../../../shared/contracts/generation.ts";
import type { Message } from "../../../shared/tokenizer/chat-template.ts";

const stop = z
  .union([z.string().min(1).max(64), z.array(z.string().min(1).max(64)).max(4)])
  .optional()
  .transform((value) => (typeof value === "string" ? [value] : (value ?? [])));

const options = z
  .object({
    temperature: z.number().min(0).max(2).default(0.7),
    top_k: z.int().min(0).max(65_536).default(40),
    top_p: z.number().min(0).max(1).default(0.95),
    min_p: z.number().min(0).max(1).default(0),
    presence_penalty: z.number().min(-2).max(2).default(0),
    frequency_penalty: z.number().min(-2).max(2).default(0),
    /** The penalty looks at the whole prompt and text; `repeat_last_n` has no effect. */
    repeat_penalty: z.number().min(0.1).max(10).default(1),
    /** The most tokens of the answer. A negative number: as many as fit into the context. */
    num_predict: z.int().min(-2).max(1_000_000).default(-1),
    seed: z.int().optional(),
    stop,
  })
  .prefault({});
export type Options = z.output<typeof options>;

/** A field that must be absent or empty. */
const refused = z
  .unknown()
  .optional()
  .refine((value) => value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0), {
    error: "not supported here: leave it out",
  });

const common = {
  model: z.string().max(256),
  stream: z.boolean().default(true),
  options,
  format: z
    .union([z.enum(["", "json"]), jsonSchemaSchema], { error: 'expected "json" or a JSON Schema' })
    .nullish()
    .transform((format): Format | null => {
      if (format === "json") return { kind: "json" };
      return typeof format === "object" && format !== null ? { kind: "schema", schema: format } : null;
    }),
};

export const generateSchema = z.object({
  ...common,
  prompt: z.string().default(""),
  system: z.string().optional(),
  /** Sends the prompt unchanged, without a line break after it. */
  raw: z.boolean().default(false),
  suffix: refused,
  images: refused,
});
export type OllamaGenerate = z.output<typeof generateSchema>;

export const chatSchema = z.object({
  ...common,
  messages: z
    .array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string(), images: refused }))
    .max(256)
    .default([]),
  tools: refused,
});
export type OllamaChat = z.output<typeof chatSchema>;

export const showSchema = z.object({ model: z.string().max(256).optional(), name: z.string().max(256).optional() });

export function promptOf({ prompt, system, raw }: OllamaGenerate): Prompt {
  if (raw) return { kind: "text", text: prompt };
  const instructions: Message[] = system === undefined || system === "" ? [] : [{ role: "system", content: system }];
  return { kind: "chat", messages: [...instructions, { role: "user", content: prompt }] };
}

export function generationOf(prompt: Prompt, settings: Options, format: Format | null): GenerationRequest {
  const { seed } = settings;
  return {
    prompt,
    temperature: settings.temperature,
    topK: settings.top_k,
    topP: Math.max(settings.top_p, Number.MIN_VALUE),
    minP: settings.min_p,
    presencePenalty: settings.presence_penalty,
    frequencyPenalty: settings.frequency_penalty,
    repetitionPenalty: settings.repeat_penalty,
    logitBias: {},
    maxTokens: settings.num_predict < 1 ? null : settings.num_predict,
    choices: 1,
    seed: seed === undefined ? null : seed >>> 0,
    stop: settings.stop,
    format,
    logProbabilities: null,
    echo: false,
    trim: prompt.kind === "chat",
  };
}
