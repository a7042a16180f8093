/**
 * Reads the configuration of a Qwen3 decoder from config.json. A field that this decoder does not implement is an error that
 * names the field. Without the error, the model would load and produce wrong text.
 */
import { z } from "zod";
import { modelConfigSchema, type DecoderConfig, type ModelConfig } from "../config.ts";
import { refuseOtherArchitectures } from "./architecture.ts";

/** The longest supported context (config.ts). A longer context is cut to this length. */
const MAX_CONTEXT = 8192;

const ropeSchema = z.object({
  rope_type: z.literal("default").default("default"),
  rope_theta: z.number().optional(),
  partial_rotary_factor: z.literal(1).optional(),
});
const idsSchema = z.union([z.int().nonnegative(), z.array(z.int().nonnegative()).min(1).max(64)]);

const configSchema = z.object({
  architectures: z.tuple([z.literal("Qwen3ForCausalLM")]).optional(),
  vocab_size: z.int().positive(),
  hidden_size: z.int().positive(),
  intermediate_size: z.int().positive(),
  num_hidden_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  num_key_value_heads: z.int().positive(),
  // Always read from the file: head_dim need not be hidden_size / num_attention_heads.
  head_dim: z.int().positive(),
  max_position_embeddings: z.int().positive(),
  rms_norm_eps: z.number(),
  rope_theta: z.number().optional(),
  rope_parameters: ropeSchema.nullish(),
  layer_types: z.array(z.literal("full_attention")).nullish(),
  tie_word_embeddings: z.boolean().default(false),
  eos_token_id: idsSchema.nullish(),
});

/** Hugging Face's name of each field, for errors of modelConfigSchema. */
const THEIR_NAMES: Readonly<Record<keyof DecoderConfig, string>> = {
  vocabSize: "vocab_size",
  width: "hidden_size",
  mlpWidth: "intermediate_size",
  layers: "num_hidden_layers",
  heads: "num_attention_heads",
  kvHeads: "num_key_value_heads",
  headWidth: "head_dim",
  context: "max_position_embeddings",
  ropeTheta: "rope_theta",
  normEpsilon: "rms_norm_eps",
  tiedEmbeddings: "tie_word_embeddings",
};

/** Checks a configuration against our limits. Errors use the file's field names. Cuts a longer context and says so in `notes`. */
export function boundedConfig(
  file: string,
  config: ModelConfig,
  names: Readonly<Record<keyof DecoderConfig, string>>,
  notes: string[],
): ModelConfig {
  const context = Math.min(config.context, MAX_CONTEXT);
  if (context < config.context)
    notes.push(`${names.context}: the context of ${config.context} tokens is cut to ${context}, the longest here`);
  const parsed = modelConfigSchema.safeParse({ ...config, context });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path[0];
  const name = typeof field === "string" && field in names ? names[field as keyof DecoderConfig] : "configuration";
  throw new Error(`${file}: ${name}: ${issue?.message ?? "expected another value"}`);
}

/** Returns the end tokens as a list; null if the file has none. */
export function endTokensOf(value: unknown): number[] | null {
  const parsed = z.object({ eos_token_id: idsSchema.nullish() }).safeParse(value);
  const ids = parsed.success ? parsed.data.eos_token_id : null;
  return ids === null || ids === undefined ? null : [ids].flat();
}

/** Reads config.json. Throws an error that names the first unsupported field. */
export function readConfig(file: string, json: unknown, notes: string[]): { config: ModelConfig; endTokens: number[] | null } {
  refuseOtherArchitectures(file, json);
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
  const read = parsed.data;
  const { rope_theta: older, rope_parameters: newer } = read;
  const ropeTheta = newer?.rope_theta ?? older;
  if (ropeTheta === undefined || (older ?? ropeTheta) !== ropeTheta)
    throw new Error(`${file}: rope_theta: expected one number, got ${older} and ${newer?.rope_theta} in rope_parameters`);
  if (read.layer_types && read.layer_types.length !== read.num_hidden_layers)
    throw new Error(`${file}: layer_types: expected ${read.num_hidden_layers}, got ${read.layer_types.length}`);
  const config: ModelConfig = {
    vocabSize: read.vocab_size,
    width: read.hidden_size,
    mlpWidth: read.intermediate_size,
    layers: read.num_hidden_layers,
    heads: read.num_attention_heads,
    kvHeads: read.num_key_value_heads,
    headWidth: read.head_dim,
    context: read.max_position_embeddings,
    ropeTheta,
    normEpsilon: read.rms_norm_eps,
    tiedEmbeddings: read.tie_word_embeddings,
  };
  return { config: boundedConfig(file, config, THEIR_NAMES, notes), endTokens: endTokensOf(read) };
}
