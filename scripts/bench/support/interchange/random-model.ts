/** A published model with random weights and a small real tokenizer, and its files in memory. The interchange tests use it. */
import type { ModelConfig } from "../../../../shared/config.ts";
import type { ByteSource } from "../../../../shared/interchange/byte-source.ts";
import { sourceOfBytes } from "../../../../shared/interchange/byte-source.ts";
import { fromType, toType, type NumberType } from "../../../../shared/interchange/number-types.ts";
import { bytesOfFile, type OutputFile } from "../../../../shared/interchange/output-file.ts";
import type { PublishedModel } from "../../../../shared/interchange/published-model.ts";
import { UNKNOWN_LICENCE, type Provenance } from "../../../../shared/interchange/provenance.ts";
import { tokenizerTables, type TokenizerTables } from "../../../../shared/interchange/tokenizer-tables.ts";
import { createRandom, normal } from "../../../../shared/model/random.ts";
import { PLAIN } from "../../../../shared/tokenizer/chat-template.ts";
import { parseTokenizer } from "../../../../shared/tokenizer/json-reader.ts";
import { PATTERNS } from "../../../../shared/tokenizer/pre-tokenizer.ts";
import { parameterCount, weightShapes } from "../../../../shared/model/weights.ts";

/** 16 special tokens, 256 bytes and 4 merges make 276 ids. Two rows have no token. */
export const CONFIG: ModelConfig = {
  vocabSize: 278,
  width: 64,
  mlpWidth: 96,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headWidth: 16,
  context: 48,
  ropeTheta: 10_000,
  normEpsilon: 1e-6,
  tiedEmbeddings: false,
};

const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
/** GPT-2's letter for each byte. */
const LETTERS = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();
const MERGES: readonly (readonly [string, string])[] = [
  ["t", "h"],
  ["th", "e"],
  ["Ġ", "the"],
  ["i", "n"],
];

/** A tokenizer.json with a few merges and the word rule of Qwen2 or GPT-2. */
export function tokenizerJson(pre: "qwen2" | "gpt-2" = "qwen2") {
  const specials = Array.from({ length: 16 }, (_, id) => ["<|endoftext|>", "<|im_start|>", "<|im_end|>"][id] ?? `<|reserved_${id}|>`);
  const tokens = [...specials, ...LETTERS, ...MERGES.map((merge) => merge.join(""))];
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: pre === "gpt-2" };
  const split = { type: "Split", pattern: { Regex: PATTERNS.qwen2 }, behavior: "Isolated", invert: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: pre === "gpt-2" ? byteLevel : { type: "Sequence", pretokenizers: [split, byteLevel] },
    post_processor: null,
    decoder: byteLevel,
    model: { type: "BPE", dropout: null, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: MERGES },
  };
}

/** Provenance of a model that was never trained. */
export function emptyProvenance(config: ModelConfig): Provenance {
  return {
    format: 2,
    name: "tiffin-0123456789ab",
    checkpoint: "0123456789abcdef".repeat(4),
    tokenizer: "1".repeat(64),
    dataset: "2".repeat(64),
    model: config,
    parameters: parameterCount(config),
    publishedAt: "2026-12-01T00:00:00.000Z",
    licence: UNKNOWN_LICENCE,
    languages: [],
    isTaught: false,
    training: { run: "r", preset: "tiny", rounds: 3, tokens: 1000, recipe: null, computeSeconds: 360, cents: 0.72 },
    data: { kind: "pretrain", documents: 2, trainTokens: 1000, valTokens: 100, valBytes: 300, origin: null },
    evaluation: { loss: 3.25, bitsPerByte: 2.5, unigramLoss: 6, trigramLoss: null },
  };
}

/** The tables of the small tokenizer for a vocabulary of any size. Rows without a token have no text. */
export function tableOf(vocabSize: number): TokenizerTables {
  const json = new TextEncoder().encode(JSON.stringify(tokenizerJson())) as Uint8Array<ArrayBuffer>;
  return tokenizerTables(json, parseTokenizer(json), vocabSize);
}

export interface RandomModel extends PublishedModel {
  values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** Random weights of usual size from a seed. With `type`, every weight is a number that the type represents exactly. */
export function randomModel(changes: Partial<ModelConfig> = {}, type: NumberType = "F32", seed = 1): RandomModel {
  const config = { ...CONFIG, ...changes };
  const random = createRandom(seed);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, shape] of weightShapes(config)) {
    const drawn = new Float32Array(shape.reduce((product, axis) => product * axis, 1));
    // Norm weights are near one, so the logits are as large as in a trained model.
    const middle = name.includes("norm") ? 1 : 0;
    for (let at = 0; at < drawn.length; at++) drawn[at] = middle + normal(random) * 0.2;
    values.set(name, fromType(type, toType(type, drawn)));
  }
  return {
    hash: "0123456789abcdef".repeat(4),
    config,
    tokenizer: tableOf(config.vocabSize),
    endTokens: [0],
    chatTemplate: PLAIN.jinja,
    provenance: emptyProvenance(config),
    parameters: { read: async (name) => values.get(name)! },
    values,
  };
}

/** Opens exported files as an import does. */
export async function folderOf(files: readonly OutputFile[]): Promise<(path: string) => Promise<ByteSource | null>> {
  const sources = new Map<string, ByteSource>();
  for (const file of files) sources.set(file.path, sourceOfBytes(file.path, await bytesOfFile(file)));
  return async (path) => sources.get(path) ?? null;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);

/** True if both sets of values have the same bits. vitest's matchers would compare number by number, which is slow. */
export function areSame(values: ReadonlyMap<string, Float32Array>, others: ReadonlyMap<string, Float32Array>): boolean {
  const isSame = ([name, data]: [string, Float32Array]) => others.has(name) && bytesOf(data).equals(bytesOf(others.get(name)!));
  return values.size === others.size && [...values].every(isSame);
}
