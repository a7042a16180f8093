/**
 * Loads a model from the bucket: the checkpoint, the tokenizer, then the parts one by one. The hash and the shapes of each part
 * are checked. No read goes through another Worker, because an invocation may call few of them.
 */
import * as tf from "@tensorflow/tfjs-core";
import { checkpointSchema, endTokensOf, type Hash } from "../../shared/artifacts.ts";
import { decoderCheckpoint } from "../../shared/decoder-checkpoint.ts";
import { MAX_READ_BYTES } from "../../shared/bytes/read-into.ts";
import type { ModelConfig } from "../../shared/config.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { readPart } from "../../shared/model/formats/read-part.ts";
import { createFusedModel, type DecodingModel } from "../../shared/model/decoding/fused-model.ts";
import { precisionOf } from "../../shared/model/decoding/fused-weights.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { getJson, getObject } from "../../shared/store.ts";
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
  /** Makes the sequences of answers. The weights serve what looks inside: /explain and embeddings. */
  decoding: DecodingModel;
  tokenizer: Tokenizer;
  /** The tokens that end a text. */
  endTokens: ReadonlySet<number>;
  chatTemplate: ChatTemplate;
}

/** Parts that are on their way at a time: R2 takes tens of milliseconds to answer, and a part of 2 MB takes about ten. */
const PARTS_AT_ONCE = 3;

/** Throws if an object is missing or does not fit. Then everything that was loaded is freed. */
export async function loadModel(
  { ARTIFACTS, PRECISION }: Pick<GeneratorEnv, "ARTIFACTS" | "PRECISION">,
  { model: hash, publishedAt }: Model,
): Promise<LoadedModel> {
  await startBackend();
  const checkpoint = decoderCheckpoint(await getJson(ARTIFACTS, "checkpoint", hash, checkpointSchema), "model");
  const tokenizer = parseTokenizer(new Uint8Array(await getObject(ARTIFACTS, "tokenizer", checkpoint.tokenizer)));
  const endTokens = new Set(endTokensOf(checkpoint, tokenizer));
  const chatTemplate = templateOf(checkpoint.endTokens, tokenizer.findId(MESSAGE_END));
  const parts = partition(checkpoint.model);
  if (parts.length !== checkpoint.weights.length)
    throw new Error(`checkpoint ${hash}: expected ${parts.length} parts of weights, got ${checkpoint.weights.length}`);
  const weights: Weights = {};
  const read = (index: number, buffer: ArrayBuffer) => {
    const arriving = readPart(ARTIFACTS, checkpoint.weights[index]!, parts[index]!, buffer).then((part) => {
      Object.assign(weights, part.weights);
      return part.buffer;
    });
    // When an earlier part fails, nobody awaits this one.
    arriving.catch(() => undefined);
    return arriving;
  };
  const arriving: Promise<ArrayBuffer>[] = [];
  try {
    // Later parts reuse the buffers: dropped buffers keep their memory until the next collection.
    for (const index of parts.keys())
      arriving.push(read(index, index < PARTS_AT_ONCE ? new ArrayBuffer(MAX_READ_BYTES) : await arriving[index - PARTS_AT_ONCE]!));
    await Promise.all(arriving);
    const config = checkpoint.model;
    const decoding = createFusedModel(weights, config, precisionOf(PRECISION, config));
    return { hash, publishedAt, config, weights, decoding, tokenizer, endTokens, chatTemplate };
  } catch (error) {
    await Promise.allSettled(arriving);
    tf.dispose(weights);
    throw error;
  }
}
