/**
 * Reads config.json and generation_config.json. The checks are written by hand, because a schema library is larger than the
 * runtime. read-weights.ts finds sizes that do not fit the weights.
 */
import type { ModelConfig } from "../config.ts";
import { refuseOtherArchitectures } from "../interchange/architecture.ts";
import { valueAt } from "../tokenizer/json-shape.ts";

const CONFIG = "config.json";

export interface Sampling {
  temperature: number;
  topK: number;
  topP: number;
}

export function readConfig(json: unknown): ModelConfig {
  refuseOtherArchitectures(CONFIG, json);
  const number = (field: string, ...path: readonly string[]): number => {
    const value = valueAt(json, ...path, field);
    if (typeof value !== "number" || !(value > 0)) throw new Error(`${CONFIG}: ${field}: expected a number above 0, got ${String(value)}`);
    return value;
  };
  const count = (field: string): number => {
    const value = number(field);
    if (!Number.isInteger(value)) throw new Error(`${CONFIG}: ${field}: expected a whole number, got ${value}`);
    return value;
  };
  const config: ModelConfig = {
    vocabSize: count("vocab_size"),
    width: count("hidden_size"),
    mlpWidth: count("intermediate_size"),
    layers: count("num_hidden_layers"),
    heads: count("num_attention_heads"),
    kvHeads: count("num_key_value_heads"),
    headWidth: count("head_dim"),
    context: count("max_position_embeddings"),
    ropeTheta: valueAt(json, "rope_theta") === undefined ? number("rope_theta", "rope_parameters") : number("rope_theta"),
    normEpsilon: number("rms_norm_eps"),
    tiedEmbeddings: valueAt(json, "tie_word_embeddings") === true,
  };
  if (config.heads % config.kvHeads !== 0)
    throw new Error(`${CONFIG}: num_attention_heads: expected a multiple of ${config.kvHeads}, got ${config.heads}`);
  return config;
}

/** Returns the tokens that end a text, and the default sampling. */
export function readGeneration(json: unknown): { endTokens: number[]; sampling: Sampling } {
  const ends = [valueAt(json, "eos_token_id")].flat();
  const endTokens = ends.filter((id): id is number => typeof id === "number");
  if (endTokens.length === 0 || endTokens.length !== ends.length)
    throw new Error(`generation_config.json: eos_token_id: expected ids, got ${JSON.stringify(ends)}`);
  const number = (field: string, otherwise: number) => {
    const value = valueAt(json, field);
    return typeof value === "number" ? value : otherwise;
  };
  return { endTokens, sampling: { temperature: number("temperature", 1), topK: number("top_k", 0), topP: number("top_p", 1) } };
}
