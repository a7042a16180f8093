/**
 * One bounded step of tokenizer training: first counts words, then finds merges. The state is an object in ARTIFACTS, named
 * by its hash, so a step repeated after a crash gives the same state, and no request grows with the corpus.
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

/** Distinct words kept between steps. When there are more, the rarest are dropped. */
const MAX_WORDS = 200_000;
/**
 * The longest word that is counted, in UTF-16 units. A page without spaces is one long word: it teaches nothing useful, yet
 * every merge would read it and every state would hold it. The rules of tables in READMEs are up to 152 units long.
 */
const MAX_WORD_LENGTH = 256;
/** UTF-8 bytes of text that one call counts. */
const COUNT_BYTES_PER_STEP = 8_000_000;
const MERGES_PER_STEP = 1000;

/** Format 2 belongs to a training that began under the former layout, and ends under it. Format 3 has the layout of today. */
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

/** Throws "InvalidInput" for an impossible vocabulary size, "NotFound" when the snapshot or the state does not exist. */
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
    // Sorting makes the state's hash depend on the counts alone.
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
