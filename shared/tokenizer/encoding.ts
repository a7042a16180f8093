/**
 * A trained tokenizer: text to ids and back. Ids of our own: 256 bytes, then one per merge, then the special tokens;
 * a foreign vocabulary may number its tokens otherwise. Every byte string can be decoded from some ids.
 * The file format is in tokenizer-json.ts.
 */
import { applyMerges, rankMerges, splitWords, tokenBytes, type Merge } from "./bpe.ts";
import { tokenizerToJson } from "./tokenizer-json-writer.ts";

export const SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;
const MAX_CACHED_WORDS = 50_000;
/** UTF-16 units; a longer word hardly comes twice, and a page without gaps is one word. */
const MAX_CACHED_LENGTH = 64;

export class Tokenizer {
  readonly vocabSize: number;
  readonly endOfText: number;
  readonly merges: readonly Merge[];
  /** Ids by token: bytes, merges. */
  readonly ids: readonly number[];
  /** Ids by the text of special tokens. */
  readonly specials: ReadonlyMap<string, number>;
  readonly #ranks: Map<number, number>;
  /** By id; undefined where the vocabulary has a hole. */
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #cache = new Map<string, number[]>();

  /** `numbering` gives the ids of a foreign vocabulary; without it tokens are numbered in order. */
  constructor(merges: readonly Merge[], numbering?: { ids: readonly number[]; specials: ReadonlyMap<string, number> }) {
    const tokens = tokenBytes(merges);
    this.merges = merges;
    this.#ranks = rankMerges(merges);
    this.ids = numbering?.ids ?? tokens.map((_, token) => token);
    this.specials = numbering?.specials ?? new Map(SPECIAL_TOKENS.map((content, index) => [content, tokens.length + index]));
    for (const [token, bytes] of tokens.entries()) this.#bytes[this.ids[token]!] = bytes;
    for (const id of this.specials.values()) this.#bytes[id] = new Uint8Array();
    this.vocabSize = this.#bytes.length;
    this.endOfText = this.specials.get(SPECIAL_TOKENS[0])!;
  }

  /** Ids of a text. Special tokens in the text are ordinary text; lone surrogates become U+FFFD. */
  encode(text: string): number[] {
    const encoder = new TextEncoder();
    const ids: number[] = [];
    for (const word of splitWords(text.toWellFormed())) {
      let known = this.#cache.get(word);
      if (known === undefined) {
        known = applyMerges([...encoder.encode(word)], this.#ranks).map((token) => this.ids[token]!);
        if (this.#cache.size < MAX_CACHED_WORDS && word.length <= MAX_CACHED_LENGTH) this.#cache.set(word, known);
      }
      for (const id of known) ids.push(id);
    }
    return ids;
  }

  /** Bytes of ids; special tokens have none. Throws for an id outside the vocabulary. */
  decodeBytes(ids: Iterable<number>): Uint8Array {
    const parts: number[] = [];
    for (const id of ids) {
      const bytes = this.#bytes[id];
      if (bytes === undefined) throw new Error(`decode: expected ids below ${this.vocabSize}, got ${id}`);
      parts.push(...bytes);
    }
    return Uint8Array.from(parts);
  }

  decode(ids: Iterable<number>): string {
    // A leading U+FEFF is text like any other here; by default it would be taken for a mark and dropped.
    return new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(this.decodeBytes(ids));
  }

  /** The tokenizer.json of this tokenizer. */
  toJson() {
    return tokenizerToJson(this);
  }
}
