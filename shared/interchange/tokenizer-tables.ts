/** The parts of a tokenizer that exports need: its file, tokens by id, kinds, merges, and llama.cpp's name of the rule for words. */
import { writtenTokens } from "../tokenizer/json-writer.ts";
import type { PreTokenizer } from "../tokenizer/pre-tokenizer.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** The values of GGUF's `tokenizer.ggml.token_type`. */
export const TOKEN_KINDS = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;

/** llama.cpp's names of the rules for words. */
const RULE_NAMES = { gpt2: "gpt-2", qwen2: "qwen2" } as const satisfies Record<PreTokenizer, string>;

export interface TokenizerTables {
  /** The tokenizer.json as stored. */
  json: Uint8Array<ArrayBuffer>;
  /** Tokens by id, in GPT-2's printable characters. Unused ids get the names that convert_hf_to_gguf.py gives them. */
  tokens: readonly string[];
  kinds: readonly number[];
  /** Merges in order, each as "left right". */
  merges: readonly string[];
  pre: (typeof RULE_NAMES)[PreTokenizer];
}

/** Returns the tables of a tokenizer, read from `json`, for a model with `vocabSize` rows. Throws for an id without a row. */
export function tokenizerTables(json: Uint8Array<ArrayBuffer>, { vocabulary }: Tokenizer, vocabSize: number): TokenizerTables {
  const { preTokenizer, merges, ids, added } = vocabulary;
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`);
  const kinds = Array.from({ length: vocabSize }, (): number => TOKEN_KINDS.unused);
  const put = (id: number, token: string, kind: number) => {
    if (id >= vocabSize) throw new Error(`tokenizer.json: expected ids below ${vocabSize}, the model's vocabulary, got ${id}`);
    tokens[id] = token;
    kinds[id] = kind;
  };
  const written = writtenTokens(merges);
  for (const [index, token] of written.entries()) put(ids[index]!, token, TOKEN_KINDS.normal);
  for (const { id, content, isText } of added) put(id, content, isText ? TOKEN_KINDS.userDefined : TOKEN_KINDS.control);
  const pairs = merges.map(([left, right]) => `${written[left]!} ${written[right]!}`);
  return { json, tokens, kinds, merges: pairs, pre: RULE_NAMES[preTokenizer] };
}
