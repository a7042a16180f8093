/**
 * A trained tokenizer: text to ids and back. Our ids are the 256 bytes, then one id per merge, then the special tokens.
 * Vocabularies from elsewhere may use another order. Every byte string has ids that decode to it.
 * json-reader.ts and json-writer.ts know the file format.
 */
import { applyMerges, rankMerges, splitWords, tokenBytes, type Merge } from "./bpe.ts";
import { tokenizerToJson } from "./json-writer.ts";

export const SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;
const MAX_CACHED_WORDS = 50_000;
/** UTF-16 units. Longer words rarely repeat, and a page without spaces is a single word. */
const MAX_CACHED_LENGTH = 64;

export class Tokenizer {
  readonly vocabSize: number;
  readonly endOfText: number;
  readonly merges: readonly Merge[];
  /** The id of each token: bytes, then merges. */
  readonly ids: readonly number[];
  /** The id of each special token, by its text. */
  readonly specials: ReadonlyMap<string, number>;
  readonly #ranks: Map<number, number>;
  /** Byte strings by id; undefined where the vocabulary has a gap. */
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #cache = new Map<string, number[]>();

  /** `numbering` holds the ids of a vocabulary from elsewhere. Without it, tokens are numbered in order. */
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

  /** The ids of a text. Special tokens inside it are encoded as ordinary text. Lone surrogates become U+FFFD. */
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

  /** The bytes of ids. Special tokens have no bytes. Throws for an id outside the vocabulary. */
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
    // By default a decoder drops a leading U+FEFF as a byte order mark. Here it is text.
    return new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(this.decodeBytes(ids));
  }

  /** This tokenizer as the value of a tokenizer.json. */
  toJson() {
    return tokenizerToJson(this);
  }
}
