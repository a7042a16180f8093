/**
 * Constants of GGUF version 3 (github.com/ggml-org/ggml, docs/gguf.md), and GGUF's names of a Qwen3 decoder's parameters. The
 * reader and the writer share this file.
 */
import type { NumberType } from "./number-types.ts";

export const GGUF_MAGIC = 0x46554747; // "GGUF", little-endian
export const GGUF_VERSION = 3;
export const GGUF_ALIGNMENT = 32;

/** ggml's number for each tensor type. */
export const GGML_TYPES: Readonly<Record<NumberType, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, BF16: 30 };

/** `general.file_type`: the type of most tensors in the file. BF16 is 32 in llama.cpp's `llama_ftype`. */
export const GGUF_FILE_TYPES: Readonly<Record<NumberType, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 7, BF16: 32 };

/** GGUF's number for each type of a metadata value. */
export const VALUE_TYPES = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

const LAYER_PARTS: readonly (readonly [ours: string, theirs: string])[] = [
  ["input_layernorm", "attn_norm"],
  ["self_attn.q_proj", "attn_q"],
  ["self_attn.k_proj", "attn_k"],
  ["self_attn.v_proj", "attn_v"],
  ["self_attn.q_norm", "attn_q_norm"],
  ["self_attn.k_norm", "attn_k_norm"],
  ["self_attn.o_proj", "attn_output"],
  ["post_attention_layernorm", "ffn_norm"],
  ["mlp.gate_proj", "ffn_gate"],
  ["mlp.up_proj", "ffn_up"],
  ["mlp.down_proj", "ffn_down"],
];
const LAYER_NAMES = new Map(LAYER_PARTS);
const OUTER_NAMES = new Map([
  ["model.embed_tokens.weight", "token_embd.weight"],
  ["model.norm.weight", "output_norm.weight"],
  ["lm_head.weight", "output.weight"],
]);

/** Translates a parameter's name to GGUF. */
export function ggufName(name: string): string {
  const [, layer, part] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  const theirs = part === undefined ? OUTER_NAMES.get(name) : LAYER_NAMES.get(part);
  if (theirs === undefined) throw new Error(`gguf: expected a parameter of a Qwen3 decoder, got ${name}`);
  return part === undefined ? theirs : `blk.${layer}.${theirs}.weight`;
}
