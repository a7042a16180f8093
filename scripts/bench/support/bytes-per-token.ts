/**
 * Measures the bytes per token of vocabularies that are trained on a corpus, for the current rule for words and for the former
 * rule (GPT-2's).
 */
import { FORMER_LAYOUT, LAYOUT, type Layout } from "../../../shared/tokenizer/layout.ts";
import { trainTokenizer } from "./train-tokenizer.ts";

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
  const tokenizer = trainTokenizer(texts, layout, merges);
  return texts.reduce((tokens, text) => tokens + tokenizer.encode(text).length, 0);
}
