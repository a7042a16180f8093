/**
 * Writes a model as a GGUF file for llama.cpp, Ollama and similar programs. Tensors are in the order in which the model is
 * stored. The metadata is complete, because programs silently replace a missing key by a wrong default.
 */
import { GGML_TYPES, GGUF_ALIGNMENT, GGUF_FILE_TYPES, GGUF_MAGIC, GGUF_VERSION, ggufName, VALUE_TYPES } from "./gguf-format.ts";
import { bytesOfType, NUMBER_TYPES, type NumberType } from "./number-types.ts";
import type { OutputFile, Piece } from "./output-file.ts";
import { parameterPieces, type PublishedModel } from "./published-model.ts";

type Value =
  | { type: "uint32" | "float32"; value: number }
  | { type: "bool"; value: boolean }
  | { type: "string"; value: string }
  | { type: "strings"; value: readonly string[] }
  | { type: "int32s"; value: readonly number[] };

const uint32 = (value: number): Value => ({ type: "uint32", value });
const float32 = (value: number): Value => ({ type: "float32", value });
const bool = (value: boolean): Value => ({ type: "bool", value });
const string = (value: string): Value => ({ type: "string", value });
const strings = (value: readonly string[]): Value => ({ type: "strings", value });
const int32s = (value: readonly number[]): Value => ({ type: "int32s", value });

/** Writes little-endian fields in sequence. */
class FieldWriter {
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #size = 0;

  /** Reserves `bytes` bytes and returns their offset. May replace #bytes and #view, so call it before you use them. */
  #take(bytes: number): number {
    const at = this.#size;
    this.#size += bytes;
    if (this.#size > this.#bytes.byteLength) {
      const larger = new Uint8Array(2 * this.#size);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  uint32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }

  uint64(value: number): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.uint64(bytes.byteLength);
    const at = this.#take(bytes.byteLength);
    this.#bytes.set(bytes, at);
  }

  value(value: Value): void {
    switch (value.type) {
      case "uint32":
        this.uint32(VALUE_TYPES.uint32);
        this.uint32(value.value);
        break;
      case "float32":
        this.uint32(VALUE_TYPES.float32);
        this.#float32(value.value);
        break;
      case "bool":
        this.uint32(VALUE_TYPES.bool);
        this.#uint8(value.value ? 1 : 0);
        break;
      case "string":
        this.uint32(VALUE_TYPES.string);
        this.string(value.value);
        break;
      case "strings":
        this.#arrayHead(VALUE_TYPES.string, value.value.length);
        for (const item of value.value) this.string(item);
        break;
      case "int32s":
        this.#arrayHead(VALUE_TYPES.int32, value.value.length);
        for (const item of value.value) this.uint32(item);
        break;
      default:
        value satisfies never;
    }
  }

  #uint8(value: number): void {
    const at = this.#take(1);
    this.#view.setUint8(at, value);
  }

  #float32(value: number): void {
    const at = this.#take(4);
    this.#view.setFloat32(at, value, true);
  }

  #arrayHead(type: number, length: number): void {
    this.uint32(VALUE_TYPES.array);
    this.uint32(type);
    this.uint64(length);
  }

  /** Returns the bytes, padded with zeros to a multiple of `multiple`. */
  padded(multiple: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, Math.ceil(this.#size / multiple) * multiple);
  }
}

/** A number of parameters in the form of `general.size_label`, for example "1.1M". */
export function sizeLabel(parameters: number): string {
  const [divisor, letter] = parameters >= 1e9 ? [1e9, "B"] : parameters >= 1e6 ? [1e6, "M"] : [1e3, "K"];
  const count = parameters / divisor;
  return `${count < 10 ? count.toFixed(1) : Math.round(count)}${letter}`;
}

function metadataOf(model: PublishedModel, type: NumberType): [string, Value][] {
  const { config, tokenizer, endTokens, provenance, hash } = model;
  const [end] = endTokens;
  if (end === undefined) throw new Error("model: expected a token that ends a text, got none");
  const bos = tokenizer.tokens.indexOf("<|endoftext|>");
  const turnEnd = tokenizer.tokens.indexOf("<|im_end|>");
  return [
    ["general.architecture", string("qwen3")],
    ["general.type", string("model")],
    ["general.name", string(provenance.name)],
    ["general.basename", string("tiffin")],
    ["general.size_label", string(sizeLabel(provenance.parameters))],
    ["general.license", string(provenance.licence)],
    ["general.languages", strings(provenance.languages)],
    ["general.tags", strings(["text-generation", "tiffin"])],
    ["general.source.uuid", string(uuidOf(hash))],
    ["general.file_type", uint32(GGUF_FILE_TYPES[type])],
    ["general.quantization_version", uint32(2)],
    ["general.alignment", uint32(GGUF_ALIGNMENT)],
    ["tiffin.checkpoint", string(hash)],
    // GGUF has room for two end tokens; llama.cpp knows others by their names.
    ["tiffin.end_tokens", int32s(endTokens)],
    ["tiffin.tokenizer", string(provenance.tokenizer)],
    ...(provenance.dataset === null ? [] : [["tiffin.dataset", string(provenance.dataset)] satisfies [string, Value]]),
    ["qwen3.block_count", uint32(config.layers)],
    ["qwen3.context_length", uint32(config.context)],
    ["qwen3.embedding_length", uint32(config.width)],
    ["qwen3.feed_forward_length", uint32(config.mlpWidth)],
    ["qwen3.vocab_size", uint32(config.vocabSize)],
    ["qwen3.attention.head_count", uint32(config.heads)],
    ["qwen3.attention.head_count_kv", uint32(config.kvHeads)],
    ["qwen3.attention.key_length", uint32(config.headWidth)],
    ["qwen3.attention.value_length", uint32(config.headWidth)],
    ["qwen3.attention.layer_norm_rms_epsilon", float32(config.normEpsilon)],
    ["qwen3.rope.freq_base", float32(config.ropeTheta)],
    ["qwen3.rope.dimension_count", uint32(config.headWidth)],
    ["tokenizer.ggml.model", string("gpt2")],
    ["tokenizer.ggml.pre", string(tokenizer.pre)],
    ["tokenizer.ggml.tokens", strings(tokenizer.tokens)],
    ["tokenizer.ggml.token_type", int32s(tokenizer.kinds)],
    ["tokenizer.ggml.merges", strings(tokenizer.merges)],
    ["tokenizer.ggml.bos_token_id", uint32(bos === -1 ? end : bos)],
    ["tokenizer.ggml.eos_token_id", uint32(end)],
    // llama.cpp ends a text at `eot` (end of turn) as well as at `eos`.
    ...(endTokens.includes(turnEnd) ? [["tokenizer.ggml.eot_token_id", uint32(turnEnd)] satisfies [string, Value]] : []),
    ["tokenizer.ggml.padding_token_id", uint32(bos === -1 ? end : bos)],
    ["tokenizer.ggml.add_bos_token", bool(false)],
    ["tokenizer.ggml.add_eos_token", bool(false)],
    ["tokenizer.ggml.add_space_prefix", bool(false)],
    ["tokenizer.chat_template", string(model.chatTemplate)],
  ];
}

/** Makes a UUID of version 8 (RFC 9562, 5.8) from the start of a hash. */
function uuidOf(hash: string): string {
  const variant = ((Number.parseInt(hash[16]!, 16) & 3) | 8).toString(16);
  return [hash.slice(0, 8), hash.slice(8, 12), `8${hash.slice(13, 16)}`, `${variant}${hash.slice(17, 20)}`, hash.slice(20, 32)].join("-");
}

/**
 * The number type of a tensor. Vectors stay float32, because llama.cpp accepts only float32 for norms. A matrix becomes F16 if
 * its rows are not whole blocks. In a Q4_0 file, embeddings and head are Q8_0, because Q4_0 harms them most when the vocabulary
 * is small.
 */
function tensorType(type: NumberType, name: string, shape: readonly number[]): NumberType {
  if (shape.length < 2) return "F32";
  if (shape.at(-1)! % NUMBER_TYPES[type].block !== 0) return "F16";
  return type === "Q4_0" && !name.startsWith("model.layers.") ? "Q8_0" : type;
}

/** Writes a model as GGUF with its matrices in `type`. */
export function ggufFile(model: PublishedModel, type: NumberType, path: string): OutputFile {
  const tensors = parameterPieces(model, (name, shape) => tensorType(type, name, shape));
  const metadata = metadataOf(model, type);
  const header = new FieldWriter();
  header.uint32(GGUF_MAGIC);
  header.uint32(GGUF_VERSION);
  header.uint64(tensors.length);
  header.uint64(metadata.length);
  for (const [key, value] of metadata) {
    header.string(key);
    header.value(value);
  }
  const data: Piece[] = [];
  let offset = 0;
  for (const { name, shape, type: own, piece } of tensors) {
    header.string(ggufName(name));
    header.uint32(shape.length);
    // GGUF lists the fastest axis first, in the reverse order of our shapes.
    for (const axis of shape.toReversed()) header.uint64(axis);
    header.uint32(GGML_TYPES[own]);
    header.uint64(offset);
    const size = bytesOfType(
      own,
      shape.reduce((product, axis) => product * axis, 1),
    );
    const padding = (GGUF_ALIGNMENT - (size % GGUF_ALIGNMENT)) % GGUF_ALIGNMENT;
    data.push(piece);
    if (padding > 0) data.push(new Uint8Array(padding));
    offset += size + padding;
  }
  return { path, pieces: [header.padded(GGUF_ALIGNMENT), ...data] };
}
