/**
 * Reads a Hugging Face tokenizer.json (byte-level BPE); json-writer.ts writes tokenizer.json files. Ids are exactly those of the
 * Rust library: a field that would lead to other ids is an error that names the field. The file is untrusted, so its sizes are
 * limited. Truncation and padding are ignored, because they do not belong to the vocabulary.
 */
import type { Merge } from "./bpe.ts";
import { preTokenizerOf, refuseChangedDecoding, refuseChangedIds, refused } from "./json-rules.ts";
import { isObject, valueAt } from "./json-shape.ts";
import { BYTE_TO_CHAR } from "./json-writer.ts";
import { END_OF_TEXT } from "./special-tokens.ts";
import { Tokenizer, type AddedToken } from "./tokenizer.ts";

/** Qwen3's file with all 151,387 merges has 11 MB. */
const MAX_FILE_BYTES = 16_000_000;
/** Token files store uint16. */
const MAX_IDS = 65_536;
/**
 * Limits against merges that double a token each time and so fill the memory. GPT-2's tokens have at most 128 bytes each and 0.3
 * MB in total.
 */
const MAX_TOKEN_BYTES = 1024;
const MAX_VOCABULARY_BYTES = 4_000_000;
const MAX_ADDED_TOKENS = 1024;

const MAX_CONTENT_LENGTH = 256;

/** Parses the bytes of a tokenizer.json. */
export function parseTokenizer(bytes: Uint8Array): Tokenizer {
  if (bytes.byteLength > MAX_FILE_BYTES)
    throw new Error(`tokenizer.json: expected at most ${MAX_FILE_BYTES} bytes, got ${bytes.byteLength}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new Error(`tokenizer.json: expected JSON, got an error: ${(error as Error).message}`, { cause: error });
  }
  return loadTokenizer(json);
}

/** Loads a parsed tokenizer.json. Throws an error that names the first unsupported field. */
export function loadTokenizer(json: unknown): Tokenizer {
  if (!isObject(json)) throw refused("file", "an object", json);
  const type = valueAt(json, "model", "type");
  if (type !== "BPE") throw refused("model.type", "BPE", type);
  const normalizer = refuseChangedIds(json);
  refuseChangedDecoding(valueAt(json, "decoder"));
  const preTokenizer = preTokenizerOf(valueAt(json, "pre_tokenizer"));
  const { tokens, merges } = readMerges(listAt(json, MAX_IDS, "model", "merges"));
  const vocab = readVocab(valueAt(json, "model", "vocab"));
  const added = listAt(json, MAX_ADDED_TOKENS, "added_tokens").map((token, at) => readAdded(token, `added_tokens.${at}`));
  for (const { content, isNormalized } of added)
    if (isNormalized && normalizer !== null && content.normalize(normalizer) !== content)
      throw refused("added_tokens", `content in ${normalizer} where normalized is true`, content);
  const ids = checkIds(tokens, vocab, added);
  return new Tokenizer({ preTokenizer, normalizer, merges, ids, added });
}

function listAt(json: unknown, most: number, ...path: readonly string[]): readonly unknown[] {
  const list = valueAt(json, ...path);
  if (!Array.isArray(list)) throw refused(path.join("."), "a list", list);
  if (list.length > most) throw refused(path.join("."), `at most ${most} items`, list.length);
  return list;
}

const isId = (value: unknown): value is number => typeof value === "number" && Number.isInteger(value) && value >= 0 && value < MAX_IDS;

function readAdded(token: unknown, field: string): AddedToken {
  const at = (name: string) => valueAt(token, name);
  const flagAt = (name: string): boolean => {
    const value = at(name);
    if (typeof value !== "boolean") throw refused(`${field}.${name}`, "true or false", value);
    return value;
  };
  const [id, content] = [at("id"), at("content")];
  if (!isId(id)) throw refused(`${field}.id`, `an id from 0 to ${MAX_IDS - 1}`, id);
  if (typeof content !== "string" || content === "" || content.length > MAX_CONTENT_LENGTH || !content.isWellFormed())
    throw refused(`${field}.content`, `1 to ${MAX_CONTENT_LENGTH} characters without lone surrogates`, content);
  for (const name of ["single_word", "lstrip", "rstrip"]) if (flagAt(name)) throw refused(`${field}.${name}`, "false", true);
  return { id, content, isText: !flagAt("special"), isNormalized: flagAt("normalized") };
}

/** Returns the tokens as written in the file, with their numbers (bytes first), and the merges. */
function readMerges(listed: readonly unknown[]): { tokens: ReadonlyMap<string, number>; merges: Merge[] } {
  const tokens = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));
  const merges: Merge[] = [];
  let bytes = 0;
  for (const merge of listed) {
    const [left, right, ...more]: unknown[] = typeof merge === "string" ? merge.split(" ", 3) : Array.isArray(merge) ? merge : [];
    if (typeof left !== "string" || typeof right !== "string" || more.length > 0) throw refused("model.merges", "pairs of tokens", merge);
    const [leftToken, rightToken] = [tokens.get(left), tokens.get(right)];
    if (leftToken === undefined || rightToken === undefined)
      throw refused("model.merges", "tokens that are bytes or results of earlier merges", merge);
    const length = left.length + right.length;
    if (length > MAX_TOKEN_BYTES) throw refused("model.merges", `tokens of at most ${MAX_TOKEN_BYTES} bytes`, merge);
    bytes += length;
    if (bytes > MAX_VOCABULARY_BYTES) throw refused("model.merges", `tokens of at most ${MAX_VOCABULARY_BYTES} bytes in all`, merge);
    if (tokens.has(left + right)) throw refused("model.merges", "only one merge per token", merge);
    tokens.set(left + right, 256 + merges.length);
    merges.push([leftToken, rightToken]);
  }
  return { tokens, merges };
}

function readVocab(vocab: unknown): ReadonlyMap<string, number> {
  if (!isObject(vocab)) throw refused("model.vocab", "an object", vocab);
  const entries = Object.entries(vocab);
  if (entries.length > MAX_IDS) throw refused("model.vocab", `at most ${MAX_IDS} tokens`, entries.length);
  const ids = new Map<string, number>();
  for (const [token, id] of entries) {
    if (!isId(id)) throw refused("model.vocab", `ids from 0 to ${MAX_IDS - 1}`, [token, id]);
    ids.set(token, id);
  }
  return ids;
}

/** Returns the id of each token, in token order. Throws if two tokens share an id, or if no encoder can produce an id's token. */
function checkIds(tokens: ReadonlyMap<string, number>, vocab: ReadonlyMap<string, number>, added: readonly AddedToken[]): number[] {
  const used = new Set<number>();
  const claim = (field: string, content: string, id: number) => {
    if (used.has(id)) throw refused(field, "a different id for every token", [content, id]);
    used.add(id);
  };
  const ids = Array.from(tokens.keys(), (token) => {
    const id = vocab.get(token);
    if (id === undefined) throw refused("model.vocab", "an id for every byte and every merge", token);
    claim("model.vocab", token, id);
    return id;
  });
  const contents = new Set<string>();
  for (const { content, id } of added) {
    if (contents.has(content)) throw refused("added_tokens", "each token once", content);
    contents.add(content);
    if (vocab.has(content) && vocab.get(content) !== id) throw refused("added_tokens", "the ids in model.vocab", [content, id]);
    claim("added_tokens", content, id);
  }
  for (const token of vocab.keys())
    if (!tokens.has(token) && !contents.has(token)) throw refused("model.vocab", "tokens that are bytes, merged or added", token);
  if (!added.some(({ content, isText }) => content === END_OF_TEXT && !isText))
    throw refused("added_tokens", `the special token ${END_OF_TEXT}`, [...contents]);
  return ids;
}
