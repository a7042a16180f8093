/** Reads a Qwen3 decoder's configuration and tokenizer from GGUF metadata. Throws an error that names the first unsupported key. */
import type { DecoderConfig, ModelConfig } from "../config.ts";
import { boundedConfig } from "./config-reader.ts";
import type { GgufValue } from "./gguf-reader.ts";
import { PATTERNS } from "../tokenizer/pre-tokenizer.ts";
import { TOKEN_KINDS } from "./tokenizer-tables.ts";

type Metadata = ReadonlyMap<string, GgufValue>;

const KEYS: Readonly<Record<keyof DecoderConfig, string>> = {
  vocabSize: "tokenizer.ggml.tokens",
  width: "qwen3.embedding_length",
  mlpWidth: "qwen3.feed_forward_length",
  layers: "qwen3.block_count",
  heads: "qwen3.attention.head_count",
  kvHeads: "qwen3.attention.head_count_kv",
  headWidth: "qwen3.attention.key_length",
  context: "qwen3.context_length",
  ropeTheta: "qwen3.rope.freq_base",
  normEpsilon: "qwen3.attention.layer_norm_rms_epsilon",
  tiedEmbeddings: "output.weight",
};

/** Keys that change the arithmetic or the tokens, with the values that change nothing. */
const FIXED: readonly (readonly [key: string, allowed: readonly GgufValue[]])[] = [
  ["qwen3.rope.scaling.type", ["none"]],
  ["qwen3.rope.scaling.factor", [0, 1]],
  ["qwen3.rope.scale_linear", [0, 1]],
  ["qwen3.attention.sliding_window", [0]],
  ["qwen3.expert_count", [0]],
  ["tokenizer.ggml.model", ["gpt2"]],
  ["tokenizer.ggml.add_bos_token", [false]],
  ["tokenizer.ggml.add_eos_token", [false]],
  ["tokenizer.ggml.add_space_prefix", [false]],
];

const show = (value: GgufValue | undefined) => (value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 100) ?? "nothing"));

function numberAt(file: string, metadata: Metadata, key: string): number {
  const value = metadata.get(key);
  if (typeof value !== "number") throw new Error(`${file}: ${key}: expected a number, got ${show(value)}`);
  return value;
}

function stringsAt(file: string, metadata: Metadata, key: string): string[] {
  const value = metadata.get(key);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new Error(`${file}: ${key}: expected a list of strings, got ${show(value)}`);
}

/** The shortest decimal number with the same float32 value: 0.000001 instead of 9.999999974752427e-7. */
function shortest(float32: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(float32.toPrecision(digits));
    if (Math.fround(short) === float32) return short;
  }
  return float32;
}

/** Reads the configuration of the decoder. `isTied`: the file has no separate output matrix. */
export function readGgufConfig(file: string, metadata: Metadata, isTied: boolean, notes: string[]): ModelConfig {
  const architecture = metadata.get("general.architecture");
  if (architecture !== "qwen3") throw new Error(`${file}: general.architecture: expected "qwen3", got ${show(architecture)}`);
  for (const [key, allowed] of FIXED) {
    const value = metadata.get(key);
    if (value !== undefined && !allowed.includes(value))
      throw new Error(`${file}: ${key}: expected ${allowed.map(show).join(" or ")} or no value, got ${show(value)}`);
  }
  const at = (key: string) => numberAt(file, metadata, key);
  const vocabSize = stringsAt(file, metadata, "tokenizer.ggml.tokens").length;
  const headWidth = at(KEYS.headWidth);
  for (const [key, expected] of [
    ["qwen3.attention.value_length", headWidth],
    ["qwen3.rope.dimension_count", headWidth],
    ["qwen3.vocab_size", vocabSize],
  ] as const)
    if (metadata.has(key) && metadata.get(key) !== expected)
      throw new Error(`${file}: ${key}: expected ${expected}, got ${show(metadata.get(key))}`);
  const config: ModelConfig = {
    vocabSize,
    width: at(KEYS.width),
    mlpWidth: at(KEYS.mlpWidth),
    layers: at(KEYS.layers),
    heads: at(KEYS.heads),
    kvHeads: at(KEYS.kvHeads),
    headWidth,
    context: at(KEYS.context),
    ropeTheta: shortest(at(KEYS.ropeTheta)),
    normEpsilon: shortest(at(KEYS.normEpsilon)),
    tiedEmbeddings: isTied,
  };
  return boundedConfig(file, config, KEYS, notes);
}

/** The key of the list of all end tokens. Only files that Tiffin wrote have it. */
const END_TOKENS = "tiffin.end_tokens";
const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false };

/** Translates llama.cpp's name of a pre-tokenizer to the object in tokenizer.json. */
function preTokenizerOf(file: string, pre: GgufValue | undefined) {
  if (pre === "gpt-2") return { ...BYTE_LEVEL, use_regex: true };
  // llama.cpp also loads files with "default" or without a name, but then splits text differently from training.
  if (pre !== "qwen2") throw new Error(`${file}: tokenizer.ggml.pre: expected "qwen2" or "gpt-2", got ${show(pre)}`);
  const split = { type: "Split", pattern: { Regex: PATTERNS.qwen2 }, behavior: "Isolated", invert: false };
  return { type: "Sequence", pretokenizers: [split, { ...BYTE_LEVEL, use_regex: false }] };
}

/** Returns the tokenizer as a tokenizer.json, and the tokens that end a text. */
export function readGgufTokenizer(file: string, metadata: Metadata): { tokenizer: object; endTokens: number[] | null } {
  const tokens = stringsAt(file, metadata, "tokenizer.ggml.tokens");
  const kinds = metadata.get("tokenizer.ggml.token_type");
  if (!Array.isArray(kinds) || kinds.length !== tokens.length)
    throw new Error(`${file}: tokenizer.ggml.token_type: expected ${tokens.length} kinds, got ${show(kinds)}`);
  // Without a prototype, because a token may be named __proto__.
  const vocab = Object.create(null) as Record<string, number>;
  const added: object[] = [];
  for (const [id, content] of tokens.entries()) {
    const kind = kinds[id];
    if (kind === TOKEN_KINDS.unused) continue;
    if (kind !== TOKEN_KINDS.normal && kind !== TOKEN_KINDS.control && kind !== TOKEN_KINDS.userDefined)
      throw new Error(`${file}: tokenizer.ggml.token_type: expected 1, 3, 4 or 5 for token ${id}, got ${show(kind)}`);
    if (content in vocab) throw new Error(`${file}: tokenizer.ggml.tokens: expected each token once, got ${show(content)} twice`);
    vocab[content] = id;
    const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    if (kind !== TOKEN_KINDS.normal) added.push({ id, content, ...flags, special: kind === TOKEN_KINDS.control });
  }
  const ends = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"].flatMap((key) => {
    if (!metadata.has(key)) return [];
    const id = numberAt(file, metadata, key);
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length)
      throw new Error(`${file}: ${key}: expected an id below ${tokens.length}, got ${id}`);
    return [id];
  });
  const own = metadata.get(END_TOKENS);
  if (own !== undefined) {
    const isId = (id: unknown): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0 && id < tokens.length;
    if (!Array.isArray(own) || own.length === 0 || !own.every(isId))
      throw new Error(`${file}: ${END_TOKENS}: expected ids below ${tokens.length}, got ${show(own)}`);
    ends.splice(0, ends.length, ...own);
  }
  const merges = stringsAt(file, metadata, "tokenizer.ggml.merges");
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: preTokenizerOf(file, metadata.get("tokenizer.ggml.pre")),
    post_processor: null,
    decoder: { ...BYTE_LEVEL, use_regex: true },
    model: { type: "BPE", dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges },
  };
  return { tokenizer, endTokens: ends.length === 0 ? null : [...new Set(ends)] };
}
