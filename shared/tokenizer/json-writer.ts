/** Writes a tokenizer as a Hugging Face tokenizer.json (byte-level BPE) for transformers and similar libraries. */
import type { Merge } from "./bpe.ts";
import { PATTERNS, type PreTokenizer } from "./pre-tokenizer.ts";
import type { Vocabulary } from "./tokenizer.ts";

function isPrintable(byte: number): boolean {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/** GPT-2's printable character for each byte, so that JSON can contain any token. */
export const BYTE_TO_CHAR = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();

/** ByteLevel has GPT-2's rule built in. Any other rule needs a Split before ByteLevel. */
const PRE_TOKENIZERS: Record<PreTokenizer, { preTokenizer: object; decoder: object }> = {
  gpt2: {
    preTokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  },
  qwen2: {
    preTokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PATTERNS.qwen2 }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
  },
};

/** Every token in GPT-2's printable characters, in token order: bytes first, then merges. */
export function writtenTokens(merges: readonly Merge[]): string[] {
  const written = [...BYTE_TO_CHAR];
  for (const [left, right] of merges) written.push(written[left]! + written[right]!);
  return written;
}

/** Returns the tokenizer as the content of a tokenizer.json. */
export function tokenizerToJson({ preTokenizer, normalizer, merges, ids, added }: Vocabulary) {
  const written = writtenTokens(merges);
  // The Rust library renumbers added tokens that are not in `vocab`, except tokens after its last id. Therefore `vocab` also
  // contains the added tokens with lower ids.
  const last = ids.reduce((highest, id) => Math.max(highest, id));
  const early = added.filter(({ id }) => id < last).map(({ content, id }): [string, number] => [content, id]);
  const vocab = [...early, ...written.map((token, index): [string, number] => [token, ids[index]!])];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added.map(({ content, id, isText, isNormalized }) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: isNormalized,
      special: !isText,
    })),
    normalizer: normalizer === null ? null : { type: normalizer },
    pre_tokenizer: PRE_TOKENIZERS[preTokenizer].preTokenizer,
    post_processor: null,
    decoder: PRE_TOKENIZERS[preTokenizer].decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocab),
      merges: merges.map(([left, right]) => [written[left]!, written[right]!]),
    },
  };
}
