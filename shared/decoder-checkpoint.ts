/** Checkpoints of decoders: the models that have a tokenizer and answer in text. */
import type { Checkpoint, Hash } from "./artifacts.ts";
import type { ModelConfig } from "./config.ts";
import { namedError } from "./errors.ts";
import { isDense } from "./network-kind.ts";

export type DecoderCheckpoint = Checkpoint & { model: ModelConfig; tokenizer: Hash };

/** Throws InvalidInput, beginning with the field `field`, if the checkpoint is not that of a decoder. */
export function decoderCheckpoint(checkpoint: Checkpoint, field: string): DecoderCheckpoint {
  const { model, tokenizer } = checkpoint;
  if (isDense(model) || tokenizer === null) throw namedError("InvalidInput", `${field}: expected a language model, got a classifier`);
  return { ...checkpoint, model, tokenizer };
}
