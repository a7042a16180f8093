/** Trains a tokenizer on texts in memory, as the tokenizer Worker does on a snapshot. */
import { trainMerges, type BpeState } from "../../../shared/tokenizer/bpe.ts";
import type { Layout } from "../../../shared/tokenizer/layout.ts";
import { splitWords } from "../../../shared/tokenizer/pre-tokenizer.ts";
import { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";

const MAX_WORD_LENGTH = 256;

export function trainTokenizer(texts: readonly string[], layout: Layout, merges: number): Tokenizer {
  const words = new Map<string, number>();
  for (const text of texts)
    for (const word of splitWords(text, layout.preTokenizer))
      if (word.length <= MAX_WORD_LENGTH) words.set(word, (words.get(word) ?? 0) + 1);
  const state: BpeState = { words: [...words], merges: [] };
  trainMerges(state, merges, Number.POSITIVE_INFINITY);
  return new Tokenizer(layout.vocabulary(state.merges));
}
