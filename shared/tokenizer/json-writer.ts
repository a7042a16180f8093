/** Writes a tokenizer as a Hugging Face tokenizer.json (byte-level BPE), which transformers and similar libraries load. */
import type { Merge } from "./bpe.ts";

function isPrintable(byte: number): boolean {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/** The printable character that GPT-2 writes for each byte, so that JSON can hold any token. */
export const BYTE_TO_CHAR = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

/** The parts of a `Tokenizer` that the file holds. */
export interface TokenizerTables {
  merges: readonly Merge[];
  ids: readonly number[];
  specials: ReadonlyMap<string, number>;
}

/** A tokenizer as the value of a tokenizer.json. */
export function tokenizerToJson(tokenizer: TokenizerTables) {
  const written = [...BYTE_TO_CHAR];
  for (const [left, right] of tokenizer.merges) written.push(written[left]! + written[right]!);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: Array.from(tokenizer.specials, ([content, id]) => ({ id, content, ...flags })),
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
      vocab: Object.fromEntries(written.map((token, index) => [token, tokenizer.ids[index]!])),
      merges: tokenizer.merges.map(([left, right]) => [written[left]!, written[right]!]),
    },
  };
}
