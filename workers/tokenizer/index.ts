/**
 * Tokenizer: trains a byte-level BPE on a corpus snapshot, then encodes the snapshot into token shards. Both run in steps:
 * the caller passes the returned state to the next call until `done`. Owns the tokenizers, datasets and token shards in
 * ARTIFACTS.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { encodeStep, type EncodeStepInput } from "./encode-step.ts";
import { mergeStep, type MergeStepInput } from "./merge-step.ts";

export default class Tokenizer extends WorkerEntrypoint<TokenizerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** One step of training on a snapshot. When done, `tokenizer` is the hash of the tokenizer. */
  mergeStep(input: MergeStepInput) {
    return mergeStep(this.env, input);
  }

  /** One step of encoding a snapshot. When done, `dataset` is the hash of the dataset's manifest. */
  encodeStep(input: EncodeStepInput) {
    return encodeStep(this.env, input);
  }
}
