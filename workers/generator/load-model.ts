/**
 * Loads a model from the bucket: the checkpoint, the tokenizer, then the parts one by one. The hash and the shapes of each part
 * are checked. No read goes through another Worker, because an invocation may call few of them.
 */
import * as tf from "@tensorflow/tfjs-core";
import { checkpointSchema, endTokensOf, type Hash } from "../../shared/artifacts.ts";
import { createRoom } from "../../shared/bytes/read-into.ts";
import type { ModelConfig } from "../../shared/config.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { PART_BYTES, partition } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { checkPart, tensorsOf } from "../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { getJson, getObject, getObjectInto } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import { templateOf, type ChatTemplate } from "../../shared/tokenizer/chat-template.ts";
import { parseTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { MESSAGE_END } from "../../shared/tokenizer/special-tokens.ts";
import type { Tokenizer } from "../../shared/tokenizer/tokenizer.ts";

export interface LoadedModel {
  hash: Hash;
  publishedAt: string;
  config: ModelConfig;
  weights: Weights;
  tokenizer: Tokenizer;
  /** The tokens that end a text. */
  endTokens: ReadonlySet<number>;
  chatTemplate: ChatTemplate;
}

/** Throws if an object is missing or does not fit. Then everything that was loaded is freed. */
export async function loadModel({ ARTIFACTS }: Pick<GeneratorEnv, "ARTIFACTS">, { model: hash, publishedAt }: Model): Promise<LoadedModel> {
  await startBackend();
  const checkpoint = await getJson(ARTIFACTS, "checkpoint", hash, checkpointSchema);
  const tokenizer = parseTokenizer(new Uint8Array(await getObject(ARTIFACTS, "tokenizer", checkpoint.tokenizer)));
  const endTokens = new Set(endTokensOf(checkpoint, tokenizer));
  const chatTemplate = templateOf(checkpoint.endTokens, tokenizer.findId(MESSAGE_END));
  const parts = partition(checkpoint.model);
  if (parts.length !== checkpoint.weights.length)
    throw new Error(`checkpoint ${hash}: expected ${parts.length} parts of weights, got ${checkpoint.weights.length}`);
  const weights: Weights = {};
  // All parts pass through one buffer: dropped buffers keep their memory until the next collection.
  let buffer = createRoom(PART_BYTES);
  try {
    for (const [index, part] of checkpoint.weights.entries()) {
      const bytes = await getObjectInto(ARTIFACTS, "part", part, undefined, buffer);
      buffer = bytes.buffer;
      const arrays = decodeSafetensors(bytes);
      checkPart(arrays, parts[index]!);
      Object.assign(weights, tensorsOf(arrays));
    }
  } catch (error) {
    tf.dispose(weights);
    throw error;
  }
  return { hash, publishedAt, config: checkpoint.model, weights, tokenizer, endTokens, chatTemplate };
}
