/**
 * One step of making an sft dataset from a lesson set: first the conversations as token ids, then pieces of the dataset of the
 * model's pretraining. Each step writes at most one shard per side (train and validation), so the state is only a position.
 */
import { z } from "zod";
import { datasetSchema, hashSchema, tokenShardEntrySchema, type Hash, type StoredDataset } from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { encodeConversations, encodePieces, pieceStart, replayRecords } from "../../shared/lessons/encode.ts";
import { recordNumbers } from "../../shared/lessons/records.ts";
import { getJson, getObject, putJson } from "../../shared/store.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { MESSAGE_END } from "../../shared/tokenizer/special-tokens.ts";
import { getTokenShard, numbersOf, putTokenShard } from "../../shared/tokenizer/stored-shards.ts";
import { MAX_SHARD_TOKENS } from "../../shared/tokenizer/token-shard.ts";
import { heldOutOf, readConversations } from "./lessons.ts";
import type { StepProgress } from "./merge-step.ts";
import { missingAsNotFound } from "./missing-as-not-found.ts";

const shardsSchema = z.array(tokenShardEntrySchema);

export const lessonStateSchema = z.object({
  format: z.literal(1),
  /**
   * The index of the next conversation. After the last conversation: the number of conversations plus the index of the next
   * piece.
   */
  next: z.int().nonnegative(),
  /** The number of pairs in the longest conversation so far. */
  longest: z.int().nonnegative(),
  train: shardsSchema,
  val: shardsSchema,
});
type LessonState = z.infer<typeof lessonStateSchema>;

/** The state after earlier steps; that of the first step for null. Throws "NotFound". */
export async function readLessonState(bucket: R2Bucket, hash: Hash | null): Promise<LessonState> {
  if (hash === null) return { format: 1, next: 0, longest: 0, train: [], val: [] };
  return missingAsNotFound(getJson(bucket, "tokenizer-state", hash, lessonStateSchema));
}

export interface LessonStepInput {
  lessons: Hash;
  /** The tokenizer of the model that learns the lessons. */
  tokenizer: Hash;
  /** The number of positions of that model. */
  context: number;
  /** The dataset of the model's pretraining, and its share of the training records; null for no replay. */
  replay: { dataset: Hash; share: number } | null;
  state: Hash | null;
}

/** Throws "NotFound" if an object that the caller named does not exist. */
export async function lessonStep(
  env: TokenizerEnv,
  { lessons: id, tokenizer: tokenizerHash, context, replay, state: stateHash }: LessonStepInput,
): Promise<{ state: Hash; done: boolean; dataset: Hash | null; progress: StepProgress }> {
  const { ARTIFACTS } = env;
  const lessons = await readConversations(env, id);
  const tokenizer = parseTokenizer(new Uint8Array(await missingAsNotFound(getObject(ARTIFACTS, "tokenizer", tokenizerHash))));
  const end = tokenizer.findId(MESSAGE_END);
  if (end === undefined) throw namedError("InvalidInput", `from: expected a model with the token ${MESSAGE_END}, got one without`);
  const state = await readLessonState(ARTIFACTS, stateHash);
  const heldOut = heldOutOf(lessons);
  const count = lessons.conversations.length;
  const source = replay === null ? null : await getJson(ARTIFACTS, "dataset", replay.dataset, datasetSchema);
  const trained = count - heldOut.filter(Boolean).length;
  const pieces = source === null || source.trainTokens < 2 ? 0 : replayRecords(trained, replay!.share);
  const perStep = Math.max(1, Math.floor(MAX_SHARD_TOKENS / recordNumbers(context)));

  const next = { ...state, train: [...state.train], val: [...state.val] };
  const write = async (side: "train" | "val", numbers: Uint16Array) => {
    if (numbers.length > 0) next[side].push(await putTokenShard(ARTIFACTS, numbers));
  };
  if (state.next < count) {
    next.next = Math.min(count, state.next + perStep);
    const encoded = encodeConversations(tokenizer, lessons, heldOut, [state.next, next.next], context);
    next.longest = Math.max(state.longest, encoded.longest);
    await write("train", encoded.train);
    await write("val", encoded.val);
  } else if (state.next < count + pieces) {
    next.next = Math.min(count + pieces, state.next + perStep);
    const length = Math.min(state.longest, source!.trainTokens);
    const starts = Array.from({ length: next.next - state.next }, (_, index) =>
      pieceStart(state.next - count + index, pieces, source!.trainTokens, length),
    );
    await write("train", encodePieces(await readPieces(env, source!.train, starts, length), context));
  }
  const progress = { stage: "lessons", done: next.next, total: count + pieces };
  const written = await putJson(ARTIFACTS, "tokenizer-state", next);
  if (next.next < count + pieces) return { state: written, done: false, dataset: null, progress };
  const dataset: StoredDataset = {
    format: 1,
    kind: "sft",
    tokenizer: tokenizerHash,
    vocabSize: tokenizer.vocabSize,
    endTokens: [end, tokenizer.endOfText],
    train: next.train,
    val: next.val,
    trainTokens: numbersOf(next.train),
    valTokens: numbersOf(next.val),
    valBytes: 0,
    documents: count,
    context,
    lessons: id,
    ...(pieces === 0 ? {} : { replay: hashSchema.parse(replay!.dataset) }),
  };
  return { state: written, done: true, dataset: await putJson(ARTIFACTS, "dataset", dataset), progress };
}

/**
 * Reads pieces of equal length from a text in shards. The starts are in ascending order, so each shard is read once and memory
 * holds one shard.
 */
async function readPieces(
  env: TokenizerEnv,
  shards: LessonState["train"],
  starts: readonly number[],
  length: number,
): Promise<Uint16Array[]> {
  const pieces = starts.map(() => new Uint16Array(length));
  let first = 0;
  for (const { hash, tokens } of shards) {
    const end = first + tokens;
    if (starts.some((start) => start < end && start + length > first)) {
      const numbers = await getTokenShard(env.ARTIFACTS, hash);
      for (const [index, start] of starts.entries()) {
        const [from, to] = [Math.max(start, first), Math.min(start + length, end)];
        if (from < to) pieces[index]!.set(numbers.subarray(from - first, to - first), from - start);
      }
    }
    first = end;
  }
  return pieces;
}
