/**
 * Pre-tokenizer and ids of vocabularies that are trained here. LAYOUT is for new vocabularies: special tokens, bytes, merges.
 * FORMER_LAYOUT is for vocabularies of earlier versions: bytes, merges, three special tokens. A tokenizer training that began
 * with FORMER_LAYOUT also ends with it.
 */
import type { Merge } from "./bpe.ts";
import type { PreTokenizer } from "./pre-tokenizer.ts";
import { SPECIAL_TOKENS } from "./special-tokens.ts";
import type { AddedToken, Vocabulary } from "./tokenizer.ts";

export interface Layout {
  preTokenizer: PreTokenizer;
  /** The size of a vocabulary without merges. */
  minVocabSize: number;
  vocabulary(merges: readonly Merge[]): Vocabulary;
}

export const LAYOUT = layoutOf("qwen2", 0, SPECIAL_TOKENS.length);
export const FORMER_LAYOUT = layoutOf("gpt2", null, 3);

/** Makes a layout with the first `specials` special tokens. Their ids begin at `specialsFrom`; null: after the merges. */
function layoutOf(preTokenizer: PreTokenizer, specialsFrom: number | null, specials: number): Layout {
  return {
    preTokenizer,
    minVocabSize: 256 + specials,
    vocabulary: (merges) => {
      const tokens = 256 + merges.length;
      const first = specialsFrom ?? tokens;
      const added = SPECIAL_TOKENS.slice(0, specials).map(({ content, isText }, index): AddedToken => ({
        content,
        id: first + index,
        isText,
        isNormalized: false,
      }));
      const firstByte = specialsFrom === null ? 0 : specials;
      return { preTokenizer, normalizer: null, merges, ids: Array.from({ length: tokens }, (_, token) => firstByte + token), added };
    },
  };
}
