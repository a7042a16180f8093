/**
 * One bounded step of tokenizer training. The whole state is an object in ARTIFACTS named by its hash, so a step that is
 * repeated after a crash gives the same state, and no request grows with the corpus.
 */
import { z } from "zod";
import { snapshotSchema, type Hash } from "../../shared/artifacts.ts";
import { getJson, putJson } from "../../shared/store.ts";
import { splitWords, trainMerges, type Merge } from "../../shared/tokenizer/bpe.ts";
import { SPECIAL_TOKENS, Tokenizer } from "../../shared/tokenizer/tokenizer.ts";
import { found } from "./missing-as-not-found.ts";
import { visitDocuments } from "./segments.ts";
import { namedError } from "../../shared/errors.ts";

/** Distinct words kept between steps; beyond it the rarest go. */
const MAX_WORDS = 200_000;
/**
 * UTF-16 units of the longest word that is counted; words are longer where a page has no gaps, and what one of them
 * teaches is worth nothing, but every merge reads it and every state holds it. Tables drawn in READMEs have rules of 152.
 */
const MAX_WORD_LENGTH = 256;
/** UTF-8 bytes of text counted by one call. */
const COUNT_BYTES_PER_STEP = 8_000_000;
const MERGES_PER_STEP = 1000;

const stateSchema = z.object({
  format: z.literal(2),
  segment: z.int().nonnegative(),
  document: z.int().nonnegative(),
  words: z.array(z.tuple([z.string(), z.int().positive()])),
  merges: z.array(z.tuple([z.int(), z.int()])),
});

export interface TrainStepInput {
  snapshot: Hash;
  vocabSize: number;
  state: Hash | null;
}

export interface StepProgress {
  stage: string;
  done: number;
  total: number;
}

export async function trainStep(
  env: TokenizerEnv,
  input: TrainStepInput,
): Promise<{ state: Hash; done: boolean; tokenizer: Hash | null; progress: StepProgress }> {
  const target = input.vocabSize - 256 - SPECIAL_TOKENS.length;
  if (!Number.isInteger(target) || target < 0 || input.vocabSize > 65_536) {
    throw namedError("InvalidInput", `vocabSize: expected ${256 + SPECIAL_TOKENS.length}..65536, got ${input.vocabSize}`);
  }
  const snapshot = await found(getJson(env.CORPUS, "snapshot", input.snapshot, snapshotSchema));
  const state =
    input.state === null
      ? { format: 2 as const, segment: 0, document: 0, words: [], merges: [] }
      : await found(getJson(env.ARTIFACTS, "tokenizer-state", input.state, stateSchema));

  if (state.segment < snapshot.segments.length) {
    const counts = new Map<string, number>(state.words);
    const at = await visitDocuments(env.CORPUS, snapshot, state, COUNT_BYTES_PER_STEP, ({ text }) => {
      for (const word of splitWords(text)) if (word.length <= MAX_WORD_LENGTH) counts.set(word, (counts.get(word) ?? 0) + 1);
    });
    // Sorted, so that the state's hash depends on the counts alone.
    const words = [...counts].toSorted(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, MAX_WORDS);
    const next = await putJson(env.ARTIFACTS, "tokenizer-state", { ...state, ...at, words });
    return { state: next, done: false, tokenizer: null, progress: { stage: "count", done: at.segment, total: snapshot.segments.length } };
  }

  const merges: Merge[] = [...state.merges];
  const done = trainMerges({ words: state.words, merges }, target, MERGES_PER_STEP);
  const next = await putJson(env.ARTIFACTS, "tokenizer-state", { ...state, merges });
  const tokenizer = done ? await putJson(env.ARTIFACTS, "tokenizer", new Tokenizer(merges).toJson()) : null;
  return { state: next, done, tokenizer, progress: { stage: "merge", done: done ? target : merges.length, total: target } };
}
