/**
 * One step of training a tokenizer: first words are counted, then merges are found. The state is an object in ARTIFACTS with
 * its hash as its name. So a step that is repeated after a crash gives the same state, and no request grows with the corpus.
 */
import { z } from "zod";
import { snapshotSchema, type Hash } from "../../shared/artifacts.ts";
import { getJson, putJson } from "../../shared/store.ts";
import { trainMerges, type Merge } from "../../shared/tokenizer/bpe.ts";
import { tokenizerToJson } from "../../shared/tokenizer/json-writer.ts";
import { FORMER_LAYOUT, LAYOUT } from "../../shared/tokenizer/layout.ts";
import { splitWords } from "../../shared/tokenizer/pre-tokenizer.ts";
import { missingAsNotFound } from "./missing-as-not-found.ts";
import { visitDocuments } from "./segments.ts";
import { namedError } from "../../shared/errors.ts";

/** The most distinct words that are kept between steps. The rarest words are dropped. */
const MAX_WORDS = 200_000;
/**
 * Longer words (in UTF-16 units) are not counted. A page without spaces is one long word: it teaches nothing useful, yet every
 * merge would read it and every state would hold it. The longest useful words, lines under table headings in READMEs, have 152
 * units.
 */
const MAX_WORD_LENGTH = 256;
/** The most UTF-8 bytes of text that one call counts. */
const COUNT_BYTES_PER_STEP = 8_000_000;
const MERGES_PER_STEP = 1000;

/**
 * Format 2 is the state of a training that began under the old token layout; it also ends under this layout. Format 3 has the
 * current layout.
 */
export const mergeStateSchema = z.object({
  format: z.union([z.literal(2), z.literal(3)]),
  segment: z.int().nonnegative(),
  document: z.int().nonnegative(),
  words: z.array(z.tuple([z.string(), z.int().positive()])),
  merges: z.array(z.tuple([z.int(), z.int()])),
});

export interface MergeStepInput {
  snapshot: Hash;
  vocabSize: number;
  state: Hash | null;
}

export interface StepProgress {
  stage: string;
  done: number;
  total: number;
}

/** Throws "InvalidInput" for an impossible vocabulary size, "NotFound" if the snapshot or the state does not exist. */
export async function mergeStep(
  env: TokenizerEnv,
  input: MergeStepInput,
): Promise<{ state: Hash; done: boolean; tokenizer: Hash | null; progress: StepProgress }> {
  const snapshot = await missingAsNotFound(getJson(env.CORPUS, "snapshot", input.snapshot, snapshotSchema));
  const state =
    input.state === null
      ? { format: 3 as const, segment: 0, document: 0, words: [], merges: [] }
      : await missingAsNotFound(getJson(env.ARTIFACTS, "tokenizer-state", input.state, mergeStateSchema));
  const layout = state.format === 2 ? FORMER_LAYOUT : LAYOUT;
  const target = input.vocabSize - layout.minVocabSize;
  if (!Number.isInteger(target) || target < 0 || input.vocabSize > 65_536) {
    throw namedError("InvalidInput", `vocabSize: expected ${layout.minVocabSize}..65536, got ${input.vocabSize}`);
  }

  if (state.segment < snapshot.segments.length) {
    const counts = new Map<string, number>(state.words);
    const at = await visitDocuments(env.CORPUS, snapshot, state, COUNT_BYTES_PER_STEP, ({ text }) => {
      for (const word of splitWords(text, layout.preTokenizer))
        if (word.length <= MAX_WORD_LENGTH) counts.set(word, (counts.get(word) ?? 0) + 1);
    });
    // The words are sorted, so the state's hash depends only on the counts.
    const words = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, MAX_WORDS);
    const next = await putJson(env.ARTIFACTS, "tokenizer-state", { ...state, ...at, words });
    return { state: next, done: false, tokenizer: null, progress: { stage: "count", done: at.segment, total: snapshot.segments.length } };
  }

  const merges: Merge[] = [...state.merges];
  const done = trainMerges({ words: state.words, merges }, target, MERGES_PER_STEP);
  const next = await putJson(env.ARTIFACTS, "tokenizer-state", { ...state, merges });
  const tokenizer = done ? await putJson(env.ARTIFACTS, "tokenizer", tokenizerToJson(layout.vocabulary(merges))) : null;
  return { state: next, done, tokenizer, progress: { stage: "merge", done: done ? target : merges.length, total: target } };
}
