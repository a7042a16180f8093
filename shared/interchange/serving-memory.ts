/** Estimates whether an isolate can serve a model, before any weight is read. */
import type { ModelConfig } from "../config.ts";
import { MAX_ISOLATE_BYTES } from "../limits.ts";
import { parameterCount } from "../model/weights.ts";

const MIB = 1024 * 1024;
/** The code, and tfjs's initial memory of 16 MB, which holds the activations of a step. */
const FIXED_BYTES = 28 * MIB;
/** The tokenizer's memory per token: its string, its bytes, and its entries in tables. */
const BYTES_PER_TOKEN = 300;

/**
 * The bytes of an isolate that serves the model: code, weights, key/value cache (plus a copy of the layer that grows), tokenizer,
 * and the logits of a step.
 */
export function servingBytes(config: ModelConfig): number {
  const cache = (2 * config.layers + 2) * config.context * config.kvHeads * config.headWidth * 4;
  return FIXED_BYTES + 4 * parameterCount(config) + cache + config.vocabSize * (BYTES_PER_TOKEN + 4);
}

/** Throws an error with the estimate if an isolate cannot serve the model. */
export function checkServingMemory(file: string, config: ModelConfig): void {
  const [needed, limit] = [servingBytes(config), MAX_ISOLATE_BYTES].map((bytes) => Math.ceil(bytes / MIB));
  if (needed! <= limit!) return;
  throw new Error(
    `${file}: memory: expected a model that fits into an isolate of ${limit} MiB, got a model that needs ${needed} MiB (${parameterCount(config)} parameters in float32, ${config.vocabSize} tokens, context ${config.context})`,
  );
}
