/**
 * Measures the bytes per token of vocabularies that are trained on a corpus, for the current rule for words and for the former
 * rule (GPT-2's).
 */
import { trainMerges, type BpeState } from "../../../shared/tokenizer/bpe.ts";
import { FORMER_LAYOUT, LAYOUT, type Layout } from "../../../shared/tokenizer/layout.ts";
import { splitWords } from "../../../shared/tokenizer/pre-tokenizer.ts";
import { Tokenizer } from "../../../shared/tokenizer/tokenizer.ts";

export function bytesPerToken(texts: readonly string[], vocabSize: number) {
  const bytes = new TextEncoder().encode(texts.join("")).length;
  const now = bytes / countTokens(texts, LAYOUT, vocabSize - LAYOUT.minVocabSize);
  const before = bytes / countTokens(texts, FORMER_LAYOUT, vocabSize - FORMER_LAYOUT.minVocabSize);
  // The current layout has 16 special tokens, the former had 3. In a vocabulary of equal size it has 13 fewer merges.
  const beforeAtEqualMerges = bytes / countTokens(texts, FORMER_LAYOUT, vocabSize - LAYOUT.minVocabSize);
  return {
    vocabSize,
    bytesPerToken: now,
    bytesPerTokenBefore: before,
    gain: now / before - 1,
    gainAtEqualMerges: now / beforeAtEqualMerges - 1,
  };
}

function countTokens(texts: readonly string[], layout: Layout, merges: number): number {
  const counts = new Map<string, number>();
  for (const text of texts) for (const word of splitWords(text, layout.preTokenizer)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const state: BpeState = { words: [...counts], merges: [] };
  trainMerges(state, merges, Number.POSITIVE_INFINITY);
  const tokenizer = new Tokenizer(layout.vocabulary(state.merges));
  return texts.reduce((tokens, text) => tokens + tokenizer.encode(text).length, 0);
}
