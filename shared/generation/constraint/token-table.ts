/**
 * The tokens of a vocabulary in the order of their bytes, so that one walk through the list tells which tokens may follow: a
 * token that shares its first bytes with the token before it shares the states after these bytes.
 */
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";

export interface TokenTable {
  /** Tokens with at least one byte, in the order of their bytes. */
  tokens: readonly { id: number; bytes: Uint8Array; /** The first bytes that are those of the token before it. */ shared: number }[];
  /** The id of a token, by its bytes as a string of characters below 256. */
  ids: ReadonlyMap<string, number>;
  maxBytes: number;
}

const tables = new WeakMap<Tokenizer, TokenTable>();

/** The table of a tokenizer, made once. */
export function tokenTable(tokenizer: Tokenizer): TokenTable {
  let table = tables.get(tokenizer);
  if (table === undefined) tables.set(tokenizer, (table = makeTable(tokenizer)));
  return table;
}

/** A key that orders tokens by their bytes. */
export const keyOf = (bytes: Iterable<number>): string => String.fromCharCode(...bytes);

function makeTable(tokenizer: Tokenizer): TokenTable {
  const { ids: vocabularyIds, added } = tokenizer.vocabulary;
  const ids = new Map<string, number>();
  for (const id of [...vocabularyIds, ...added.filter(({ isText }) => isText).map((token) => token.id)]) {
    const key = keyOf(tokenizer.decodeBytes([id]));
    // Of tokens with equal bytes, the first is used.
    if (key !== "" && !ids.has(key)) ids.set(key, id);
  }
  let last = "";
  const tokens = [...ids]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, id]) => {
      let shared = 0;
      while (shared < last.length && last[shared] === key[shared]) shared++;
      last = key;
      return { id, bytes: Uint8Array.from(key, (character) => character.charCodeAt(0)), shared };
    });
  return { tokens, ids, maxBytes: Math.max(...tokens.map(({ bytes }) => bytes.length)) };
}
