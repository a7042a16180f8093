/**
 * Reads the active model's tokenizer.json. The file is not checked again, because the gateway serves only files that Tiffin could
 * read exactly. The encoder is Tiffin's own (shared/tokenizer/).
 */
import type { Merge } from "../../../../../shared/tokenizer/bpe.ts";
import { BYTE_TO_CHAR } from "../../../../../shared/tokenizer/json-writer.ts";
import { Tokenizer, type Vocabulary } from "../../../../../shared/tokenizer/tokenizer.ts";
import { visible } from "../../frame/visible.ts";

export interface TokenizerFile {
  added_tokens: { id: number; content: string; special: boolean; normalized: boolean }[];
  normalizer: { type: "NFC" } | null;
  pre_tokenizer: { type: string };
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
}

export function vocabularyOf(file: TokenizerFile): Vocabulary {
  const tokens = new Map(BYTE_TO_CHAR.map((char, byte) => [char, byte]));
  const merges = file.model.merges.map((merge, rank): Merge => {
    const [left, right] = (typeof merge === "string" ? merge.split(" ") : merge) as [string, string];
    tokens.set(left + right, 256 + rank);
    return [tokens.get(left)!, tokens.get(right)!];
  });
  return {
    // A file with a Split (inside a Sequence) uses Qwen2's pattern. A file with only ByteLevel uses GPT-2's.
    preTokenizer: file.pre_tokenizer.type === "Sequence" ? "qwen2" : "gpt2",
    normalizer: file.normalizer?.type ?? null,
    merges,
    ids: Array.from(tokens.keys(), (token) => file.model.vocab[token]!),
    added: file.added_tokens.map(({ id, content, special, normalized }) => ({ id, content, isText: !special, isNormalized: normalized })),
  };
}

/** A token as the page shows it. */
export interface Piece {
  id: number;
  bytes: Uint8Array;
  /** The token's characters. If it ends or begins inside a character: its bytes in hexadecimal. */
  shown: string;
  isBytes: boolean;
}

export function pieceOf(tokenizer: Tokenizer, id: number): Piece {
  const bytes = tokenizer.decodeBytes([id]);
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { id, bytes, shown: visible(text), isBytes: false };
  } catch {
    // The bytes are not complete characters, so the bytes are shown.
    return { id, bytes, shown: Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" "), isBytes: true };
  }
}

/**
 * One step on the way to a token: two pieces become one. `rank` is the merge's position in the order in which merges were
 * learned.
 */
export interface MergeStep {
  rank: number;
  left: string;
  right: string;
}

/** The merges that make a token, in the order in which they apply. Empty for a single byte. */
export function mergesOf({ merges, ids }: Vocabulary, id: number, shownOf: (id: number) => string): MergeStep[] {
  const steps = new Map<number, MergeStep>();
  const visit = (token: number): void => {
    const rank = token - 256;
    const merge = merges[rank];
    if (token < 256 || merge === undefined || steps.has(rank)) return;
    for (const part of merge) visit(part);
    steps.set(rank, { rank, left: shownOf(ids[merge[0]]!), right: shownOf(ids[merge[1]]!) });
  };
  visit(ids.indexOf(id));
  return [...steps.values()].toSorted((a, b) => a.rank - b.rank);
}
