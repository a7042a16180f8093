/**
 * Tokenizer: turns a corpus snapshot into a byte-level BPE and then into token shards, in steps that the caller repeats
 * with the returned state until `done`. Owns the tokenizers, datasets and token shards in ARTIFACTS.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { encodeStep, type EncodeStepInput } from "./encode-step.ts";
import { trainStep, type TrainStepInput } from "./tokenizer-step.ts";

export default class Tokenizer extends WorkerEntrypoint<TokenizerEnv> {
  async health(): Promise<{ ok: true }> {
    return { ok: true };
  }

  /** One step of training on a snapshot; `tokenizer` is its hash when done. */
  trainStep(input: TrainStepInput) {
    return trainStep(this.env, input);
  }

  /** One step of encoding a snapshot; `dataset` is its manifest's hash when done. */
  encodeStep(input: EncodeStepInput) {
    return encodeStep(this.env, input);
  }
}
