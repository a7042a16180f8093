/**
 * One step of making a classify dataset from a set of labelled lessons. Each step writes at most one shard per side (train and
 * validation). The state is that of lesson-step.ts.
 */
import type { Hash, StoredDataset } from "../../shared/artifacts.ts";
import { countingLoss, LABELLED_RECORD, labelledRecords, labelsOf } from "../../shared/lessons/labelled.ts";
import { putJson } from "../../shared/store.ts";
import { numbersOf, putTokenShard } from "../../shared/tokenizer/stored-shards.ts";
import { MAX_SHARD_TOKENS } from "../../shared/tokenizer/token-shard.ts";
import { readLessonState } from "./lesson-step.ts";
import { heldOutOf, readLabelled } from "./lessons.ts";
import type { StepProgress } from "./merge-step.ts";

/** Features are 16-bit hashes. */
const FEATURE_HASHES = 65_536;
const PER_STEP = Math.floor(MAX_SHARD_TOKENS / LABELLED_RECORD);

export interface LabelStepInput {
  lessons: Hash;
  state: Hash | null;
}

/** Throws "NotFound" if an object that the caller named does not exist. */
export async function labelStep(
  env: TokenizerEnv,
  { lessons: id, state: stateHash }: LabelStepInput,
): Promise<{ state: Hash; done: boolean; dataset: Hash | null; progress: StepProgress }> {
  const { ARTIFACTS } = env;
  const set = await readLabelled(env, id);
  const { labelled } = set;
  const heldOut = heldOutOf(set);
  const labels = labelsOf(labelled);
  const state = await readLessonState(ARTIFACTS, stateHash);
  const end = Math.min(labelled.length, state.next + PER_STEP);
  const next = { ...state, next: end, train: [...state.train], val: [...state.val] };
  for (const side of ["train", "val"] as const) {
    const mine = labelled.slice(state.next, end).filter((_, index) => (heldOut[state.next + index] ? "val" : "train") === side);
    const numbers = labelledRecords(mine, labels);
    if (numbers.length > 0) next[side].push(await putTokenShard(ARTIFACTS, numbers));
  }
  const progress = { stage: "lessons", done: end, total: labelled.length };
  const written = await putJson(ARTIFACTS, "tokenizer-state", next);
  if (end < labelled.length) return { state: written, done: false, dataset: null, progress };
  const [trained, validated] = [false, true].map((isHeldOut) => labelled.filter((_, index) => heldOut[index] === isHeldOut));
  const dataset: StoredDataset = {
    format: 1,
    kind: "classify",
    tokenizer: null,
    vocabSize: FEATURE_HASHES,
    train: next.train,
    val: next.val,
    trainTokens: numbersOf(next.train),
    valTokens: numbersOf(next.val),
    valBytes: 0,
    documents: labelled.length,
    unigramLoss: countingLoss(trained!, validated!, labels),
    labels,
    lessons: id,
  };
  return { state: written, done: true, dataset: await putJson(ARTIFACTS, "dataset", dataset), progress };
}
