/**
 * Tokenizer: trains a byte-level BPE on a corpus snapshot, then encodes the snapshot into token shards. Both run in steps: the
 * caller passes the returned state to the next call until `done`. The Worker also keeps lesson sets and encodes them in steps, and
 * encodes pairs of answers.
 * It owns the tokenizers, lesson sets, datasets and token shards in ARTIFACTS.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Hash, PairSet } from "../../shared/artifacts.ts";
import type { AddedLessons, LessonSetDetail, LessonSetInfo } from "../../shared/contracts/lessons.ts";
import { encodeStep, type EncodeStepInput } from "./encode-step.ts";
import { labelStep, type LabelStepInput } from "./label-step.ts";
import { lessonStep, type LessonStepInput } from "./lesson-step.ts";
import { addLessons, deleteLessons, getLessons, listLessons } from "./lessons.ts";
import { mergeStep, type MergeStepInput } from "./merge-step.ts";
import { metered } from "./metered.ts";
import { addPairs, encodePairs, putPreferences, type EncodedPairs, type PreferencesInput } from "./pairs.ts";

export default class Tokenizer extends WorkerEntrypoint<TokenizerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** One step of training on a snapshot. When done, `tokenizer` is the hash of the tokenizer. */
  mergeStep(input: MergeStepInput) {
    return metered(this.env, (env) => mergeStep(env, input));
  }

  /** One step of encoding a snapshot. When done, `dataset` is the hash of the dataset's manifest. */
  encodeStep(input: EncodeStepInput) {
    return metered(this.env, (env) => encodeStep(env, input));
  }

  /** One step of encoding a lesson set for a model. When done, `dataset` is the hash of the dataset's manifest. */
  lessonStep(input: LessonStepInput) {
    return metered(this.env, (env) => lessonStep(env, input));
  }

  /** One step of encoding labelled lessons. When done, `dataset` is the hash of the dataset's manifest. */
  labelStep(input: LabelStepInput) {
    return metered(this.env, (env) => labelStep(env, input));
  }

  /** Stores pairs of answers and returns the hash of the set. */
  addPairs(pairs: PairSet["pairs"]): Promise<Hash> {
    return addPairs(this.env, pairs);
  }

  /** Encodes pairs as records in the tokens of a model. Throws NotFound, InvalidInput. */
  encodePairs(input: { pairs: Hash; model: Hash }): Promise<EncodedPairs> {
    return encodePairs(this.env, input);
  }

  /** Stores a dataset of encoded pairs whose records have the log-probabilities of their reference. Throws NotFound. */
  putPreferences(input: PreferencesInput): Promise<Hash> {
    return putPreferences(this.env, input);
  }

  /** Stores lessons, given as JSON Lines. Throws InvalidInput. */
  addLessons(text: string): Promise<AddedLessons> {
    return addLessons(this.env, text);
  }

  listLessons(): Promise<LessonSetInfo[]> {
    return listLessons(this.env);
  }

  /** Throws NotFound. */
  getLessons(id: string): Promise<LessonSetDetail> {
    return getLessons(this.env, id);
  }

  /** Throws NotFound. */
  deleteLessons(id: string): Promise<void> {
    return deleteLessons(this.env, id);
  }
}
