/**
 * Loads a model through the coordinator: the checkpoint, the tokenizer, then the parts one by one. The hash and the shapes of
 * each part are checked.
 */
import * as tf from "@tensorflow/tfjs-core";
import { checkpointSchema, endTokensOf, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import type { ModelConfig } from "../../shared/config.ts";
import type { Model } from "../../shared/contracts/models.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { checkPart, tensorsOf } from "../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { checkHash } from "../../shared/store.ts";
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

async function readObject(env: GeneratorEnv, kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
  const bytes = new Uint8Array(await new Response(await env.COORDINATOR.readObject(kind, hash)).arrayBuffer());
  await checkHash(kind, hash, bytes);
  return bytes;
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Throws if an object is missing or does not fit. Then everything that was loaded is freed. */
export async function loadModel(env: GeneratorEnv, { model: hash, publishedAt }: Model): Promise<LoadedModel> {
  await startBackend();
  const checkpoint = checkpointSchema.parse(parse(await readObject(env, "checkpoint", hash)));
  const tokenizer = parseTokenizer(await readObject(env, "tokenizer", checkpoint.tokenizer));
  const endTokens = new Set(endTokensOf(checkpoint, tokenizer));
  const chatTemplate = templateOf(checkpoint.endTokens, tokenizer.findId(MESSAGE_END));
  const parts = partition(checkpoint.model);
  if (parts.length !== checkpoint.weights.length)
    throw new Error(`checkpoint ${hash}: expected ${parts.length} parts of weights, got ${checkpoint.weights.length}`);
  const weights: Weights = {};
  try {
    for (const [index, part] of checkpoint.weights.entries()) {
      const arrays = decodeSafetensors(await readObject(env, "part", part));
      checkPart(arrays, parts[index]!);
      Object.assign(weights, tensorsOf(arrays));
    }
  } catch (error) {
    tf.dispose(weights);
    throw error;
  }
  return { hash, publishedAt, config: checkpoint.model, weights, tokenizer, endTokens, chatTemplate };
}
