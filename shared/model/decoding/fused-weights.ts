/** Addresses of a model's weights for kernels/decode: float32 in place, or packed as integers. */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import type { KernelContext } from "../../tensor/engine/kernel-context.ts";
import type { Pointer } from "../../tensor/engine/wasm-runtime.ts";
import { servingBytes } from "../../interchange/serving-memory.ts";
import { MAX_ISOLATE_BYTES } from "../../limits.ts";
import { layerName, parameterCount, type Weights } from "../weights.ts";

/** The numbers that products use: float32 as trained, or int8 in groups of up to 96 (kernels/decode/quantised-product.ts). */
export const PRECISIONS = ["float32", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** The most packed bytes of a weight with its share of a scale (kernels/decode/quantised-product.ts). */
const PACKED_BYTES_PER_WEIGHT = 1.125;

/**
 * The wanted precision, or float32 if the isolate has no room for packed weights beside the float32 weights, which embeddings
 * and POST /explain read. Throws an error for an unknown precision.
 */
export function precisionOf(wanted: string, config: ModelConfig): Precision {
  const known = PRECISIONS.find((precision) => precision === wanted);
  if (known === undefined) throw new Error(`PRECISION: expected one of ${PRECISIONS.join(", ")}, got ${wanted}`);
  return servingBytes(config) + PACKED_BYTES_PER_WEIGHT * parameterCount(config) <= MAX_ISOLATE_BYTES ? known : "float32";
}

/** The weights of a block in the order of `decodeBlock`. */
const BLOCK_PARTS = [
  "input_layernorm",
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.q_norm",
  "self_attn.k_norm",
  "self_attn.o_proj",
  "post_attention_layernorm",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
] as const;

export interface FusedWeights {
  embedding: Pointer;
  /** For each block, the address of the addresses of its weights. */
  blocks: readonly Pointer[];
  norm: Pointer;
  head: Pointer;
  /** Frees packed weights but not the float32 weights. */
  dispose(): void;
}

/** `weights` must outlive the result. */
export function fuseWeights(context: KernelContext, weights: Weights, config: ModelConfig, precision: Precision): FusedWeights {
  const { kernels, offset, free, write } = context;
  const taken: Pointer[] = [];
  const find = (name: string): tf.Tensor => {
    const tensor = weights[name];
    if (tensor === undefined) throw new Error(`decoder: expected a weight named ${name}, found none`);
    return tensor;
  };
  const dispose = () => taken.splice(0).forEach((start) => free(start));
  const allocate = (bytes: number): Pointer => {
    const start = context.allocate(bytes);
    taken.push(start);
    return start;
  };
  const addressOf = (name: string): Pointer => {
    const tensor = find(name);
    const [rows, columns] = tensor.shape as [number, number?];
    if (precision === "float32" || columns === undefined) return offset(tensor);
    const start = allocate(kernels.packedBytes(rows, columns));
    kernels.packWeights(offset(tensor), start, rows, columns);
    return start;
  };
  try {
    const blocks = Array.from({ length: config.layers }, (_, layer) => {
      const addresses = Int32Array.from(BLOCK_PARTS, (part) => addressOf(layerName(layer, part)));
      const table = allocate(addresses.byteLength);
      write(table, addresses);
      return table;
    });
    const head = addressOf(config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");
    return {
      embedding: offset(find("model.embed_tokens.weight")),
      blocks,
      norm: addressOf("model.norm.weight"),
      head,
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
