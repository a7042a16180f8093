/**
 * A trained tokenizer: text to ids and back, and its form as a Hugging Face tokenizer.json (ByteLevel BPE).
 * Ids: 256 bytes, then one per merge, then the special tokens. Every byte string can be decoded from some ids.
 */
import { z } from "zod";
import { applyMerges, rankMerges, splitWords, tokenBytes, type Merge } from "./bpe.ts";

export const SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;
const MAX_CACHED_WORDS = 50_000;

/** GPT-2's printable stand-in for each byte, so that tokens can be written in JSON. */
const BYTE_TO_CHAR = (() => {
  const printable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

const fileSchema = z.object({
  model: z.object({
    type: z.literal("BPE"),
    vocab: z.record(z.string(), z.int().min(0).max(65_535)),
    merges: z.array(z.union([z.tuple([z.string(), z.string()]), z.string()])).max(65_536),
  }),
});

export class Tokenizer {
  readonly vocabSize: number;
  readonly endOfText: number;
  readonly #merges: readonly Merge[];
  readonly #ranks: Map<number, number>;
  readonly #bytes: Uint8Array[];
  readonly #cache = new Map<string, number[]>();

  constructor(merges: readonly Merge[]) {
    this.#merges = merges;
    this.#ranks = rankMerges(merges);
    this.#bytes = tokenBytes(merges);
    this.endOfText = this.#bytes.length;
    this.vocabSize = this.endOfText + SPECIAL_TOKENS.length;
  }

  /** Ids of a text. Special tokens in the text are ordinary text; lone surrogates become U+FFFD. */
  encode(text: string): number[] {
    const encoder = new TextEncoder();
    const ids: number[] = [];
    for (const word of splitWords(text)) {
      let known = this.#cache.get(word);
      if (known === undefined) {
        known = applyMerges([...encoder.encode(word)], this.#ranks);
        if (this.#cache.size < MAX_CACHED_WORDS) this.#cache.set(word, known);
      }
      for (const id of known) ids.push(id);
    }
    return ids;
  }

  /** Bytes of ids; special tokens have none. Throws for an id outside the vocabulary. */
  decodeBytes(ids: Iterable<number>): Uint8Array {
    const parts: number[] = [];
    for (const id of ids) {
      if (!Number.isInteger(id) || id < 0 || id >= this.vocabSize)
        throw new Error(`decode: expected ids below ${this.vocabSize}, got ${id}`);
      if (id < this.endOfText) parts.push(...this.#bytes[id]!);
    }
    return Uint8Array.from(parts);
  }

  decode(ids: Iterable<number>): string {
    return new TextDecoder().decode(this.decodeBytes(ids));
  }

  /** The tokenizer.json that transformers and its relatives read. */
  toJson(): unknown {
    const written = this.#bytes.map((bytes) => Array.from(bytes, (byte) => BYTE_TO_CHAR[byte]!).join(""));
    const special = SPECIAL_TOKENS.map((content, index) => ({
      id: this.endOfText + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    }));
    const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
    return {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: special,
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        vocab: Object.fromEntries(written.map((token, id) => [token, id])),
        merges: this.#merges.map(([left, right]) => [written[left]!, written[right]!]),
      },
    };
  }
}

/** Reads a tokenizer.json that `toJson` wrote. Throws naming the field that does not fit. */
export function loadTokenizer(json: unknown): Tokenizer {
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) throw new Error(`tokenizer.json: ${z.prettifyError(parsed.error)}`);
  const ids = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));
  const merges: Merge[] = [];
  for (const merge of parsed.data.model.merges) {
    const [left, right] = typeof merge === "string" ? (merge.split(" ") as [string, string]) : merge;
    const [leftId, rightId] = [ids.get(left), ids.get(right ?? "")];
    if (leftId === undefined || rightId === undefined)
      throw new Error(`tokenizer.json: model.merges: expected known tokens, got ${JSON.stringify(merge)}`);
    ids.set(left + right, 256 + merges.length);
    merges.push([leftId, rightId]);
  }
  return new Tokenizer(merges);
}
