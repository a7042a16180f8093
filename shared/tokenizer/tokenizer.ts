/**
 * A trained tokenizer converts text to ids and back. Every byte string can be encoded and decodes to itself. layout.ts defines
 * the ids of vocabularies that are trained here; json-reader.ts reads other vocabularies.
 */
import { textOf } from "../bytes/text-of.ts";
import { applyMerges, rankMerges, tokenBytes, type Merge } from "./bpe.ts";
import { splitWords, type PreTokenizer } from "./pre-tokenizer.ts";
import { END_OF_TEXT } from "./special-tokens.ts";

const MAX_CACHED_WORDS = 50_000;
/** Maximum length of a cached word, in UTF-16 units. Longer words rarely repeat, and a page without spaces is a single word. */
const MAX_CACHED_LENGTH = 64;

/** A token that is neither a byte nor the result of a merge. */
export interface AddedToken {
  content: string;
  id: number;
  /** A text token decodes to its content, and encoding a text recognizes its content. A control token does neither. */
  isText: boolean;
  /** True: the encoder looks for the content in the normalized text. False: in the original text. */
  isNormalized: boolean;
}

/** The content of a tokenizer.json. */
export interface Vocabulary {
  preTokenizer: PreTokenizer;
  normalizer: "NFC" | null;
  merges: readonly Merge[];
  /** The id of each token: bytes, then merges. */
  ids: readonly number[];
  added: readonly AddedToken[];
}

export class Tokenizer {
  readonly vocabulary: Vocabulary;
  /** The highest id plus 1. */
  readonly vocabSize: number;
  readonly endOfText: number;
  readonly #ranks: Map<number, number>;
  /** The bytes of each token by id; undefined for unused ids. */
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #idByContent: ReadonlyMap<string, number>;
  readonly #cutOriginal: Cutter;
  readonly #cutNormalized: Cutter;
  readonly #cache = new Map<string, number[]>();

  constructor(vocabulary: Vocabulary) {
    const { merges, ids, added } = vocabulary;
    this.vocabulary = vocabulary;
    this.#ranks = rankMerges(merges);
    for (const [token, bytes] of tokenBytes(merges).entries()) this.#bytes[ids[token]!] = bytes;
    for (const { id, content, isText } of added) this.#bytes[id] = new TextEncoder().encode(isText ? content : "");
    this.vocabSize = this.#bytes.length;
    this.#idByContent = new Map(added.map(({ content, id }) => [content, id]));
    this.#cutOriginal = cutterOf(added.filter(({ isText, isNormalized }) => isText && !isNormalized));
    this.#cutNormalized = cutterOf(added.filter(({ isText, isNormalized }) => isText && isNormalized));
    this.endOfText = this.idOf(END_OF_TEXT);
  }

  /** Returns the id of an added token; undefined if there is none with this content. */
  findId(content: string): number | undefined {
    return this.#idByContent.get(content);
  }

  /** Returns the id of an added token. Throws if there is none with this content. */
  idOf(content: string): number {
    const id = this.findId(content);
    if (id === undefined) throw new Error(`tokenizer: expected an added token ${content}, got ${[...this.#idByContent.keys()].join(" ")}`);
    return id;
  }

  /**
   * Encodes a text. Added text tokens are recognized first. Names of control tokens are encoded as ordinary text, so a text
   * cannot forge a control token. Lone surrogates become U+FFFD.
   */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const piece of this.#cutOriginal(text.toWellFormed())) {
      if (typeof piece === "number") ids.push(piece);
      else this.#encodeOriginal(piece, ids);
    }
    return ids;
  }

  #encodeOriginal(text: string, ids: number[]): void {
    const { normalizer } = this.vocabulary;
    for (const piece of this.#cutNormalized(normalizer === null ? text : text.normalize(normalizer))) {
      if (typeof piece === "number") ids.push(piece);
      else this.#encodeWords(piece, ids);
    }
  }

  #encodeWords(text: string, ids: number[]): void {
    const encoder = new TextEncoder();
    for (const word of splitWords(text, this.vocabulary.preTokenizer)) {
      let known = this.#cache.get(word);
      if (known === undefined) {
        known = applyMerges([...encoder.encode(word)], this.#ranks).map((token) => this.vocabulary.ids[token]!);
        if (this.#cache.size < MAX_CACHED_WORDS && word.length <= MAX_CACHED_LENGTH) this.#cache.set(word, known);
      }
      for (const id of known) ids.push(id);
    }
  }

  /**
   * Returns the bytes of ids. Control tokens have no bytes. Ids without a token have none either, as in the Rust library and in
   * llama.cpp: a model may have more rows than tokens, and sampling may choose such a row.
   */
  decodeBytes(ids: Iterable<number>): Uint8Array {
    const parts: number[] = [];
    for (const id of ids) parts.push(...(this.#bytes[id] ?? []));
    return Uint8Array.from(parts);
  }

  decode(ids: Iterable<number>): string {
    return textOf(this.decodeBytes(ids));
  }
}

/** Splits a text into ids of added tokens and the text between them. */
type Cutter = (text: string) => (string | number)[];

/** The leftmost token wins; at the same position, the longest. The Rust library does the same. */
function cutterOf(tokens: readonly AddedToken[]): Cutter {
  if (tokens.length === 0) return (text) => [text];
  const ids = new Map(tokens.map(({ content, id }) => [content, id]));
  const longestFirst = [...ids.keys()].toSorted((a, b) => b.length - a.length);
  const pattern = new RegExp(`(${longestFirst.map((content) => content.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)).join("|")})`);
  // String.split keeps the text that the group matches, at odd indexes.
  return (text) => text.split(pattern).map((piece, index) => (index % 2 === 1 ? ids.get(piece)! : piece));
}
