/** Whether an isolate can serve a model: estimated before a weight of it is read. */
import type { ModelConfig } from "../config.ts";
import { MAX_ISOLATE_BYTES } from "../limits.ts";
import { parameterCount } from "../model/weights.ts";

const MIB = 1024 * 1024;
/** Code, and the 16 MB with which tfjs's memory begins, most of which activations of a step use. */
const FIXED_BYTES = 28 * MIB;
/** A token's string, bytes and entry in the tables of its tokenizer. */
const BYTES_PER_TOKEN = 300;

/** Bytes of an isolate that answers with a model: weights, cache with the layer that is being grown, logits of a step. */
export function servingBytes(config: ModelConfig): number {
  const cache = (2 * config.layers + 2) * config.context * config.kvHeads * config.headWidth * 4;
  return FIXED_BYTES + 4 * parameterCount(config) + cache + config.vocabSize * (BYTES_PER_TOKEN + 4);
}

/** Throws, with the figures, for a model that no isolate holds. */
export function checkServingMemory(file: string, config: ModelConfig): void {
  const [needed, limit] = [servingBytes(config), MAX_ISOLATE_BYTES].map((bytes) => Math.ceil(bytes / MIB));
  if (needed! <= limit!) return;
  throw new Error(
    `${file}: memory: expected a model that an isolate of ${limit} MiB can serve, got one that needs ${needed} MiB (${parameterCount(config)} parameters in float32, ${config.vocabSize} tokens, context ${config.context})`,
  );
}
