/** The model that answers: loaded through the coordinator, verified by hash, replaced when the active pointer has moved. */
import * as tf from "@tensorflow/tfjs-core";
import { checkpointSchema, type Hash, type ObjectKind } from "../../shared/artifacts.ts";
import type { ModelConfig } from "../../shared/config.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { checkPart, tensorsOf } from "../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { checkHash } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import type { Tokenizer } from "../../shared/tokenizer/tokenizer.ts";
import { loadTokenizer } from "../../shared/tokenizer/json-reader.ts";
import { namedError } from "../../shared/errors.ts";

/** A loaded model is used for this long before the registry is asked whether it is still the active model. */
const RECHECK_MS = 1000;
/** Every isolate asks this often, whatever the limiter says. */
const MAX_AGE_MS = 60_000;

export interface LoadedModel {
  hash: Hash;
  config: ModelConfig;
  weights: Weights;
  tokenizer: Tokenizer;
}

let loaded: LoadedModel | null = null;
let checkedAt: number | null = null;

async function readObject(env: GeneratorEnv, kind: ObjectKind, hash: Hash): Promise<Uint8Array> {
  const bytes = new Uint8Array(await new Response(await env.COORDINATOR.readObject(kind, hash)).arrayBuffer());
  await checkHash(kind, hash, bytes);
  return bytes;
}

/**
 * Whether to ask the one registry now. Without a limit each isolate would ask every second, and before a first model each
 * request would. REGISTRY_LIMIT lets all isolates of a place ask once a second together, so few isolates notice a new model
 * after a second, and however many there are notice it after a minute.
 */
async function mayAsk(env: GeneratorEnv): Promise<boolean> {
  if (checkedAt === null || Date.now() - checkedAt >= MAX_AGE_MS) return true;
  if (loaded !== null && Date.now() - checkedAt < RECHECK_MS) return false;
  return (await env.REGISTRY_LIMIT.limit({ key: "active-model" })).success;
}

/**
 * The active model. A loaded model keeps answering while the registry is down or its successor cannot be loaded.
 * Throws NoModel when there is none.
 */
export async function activeModel(env: GeneratorEnv): Promise<LoadedModel> {
  if (!(await mayAsk(env))) {
    if (loaded !== null) return loaded;
    throw namedError("NoModel", "no model was active a moment ago: try again in a second");
  }
  checkedAt = Date.now();
  try {
    const active = await env.COORDINATOR.activeModel();
    if (active === null) throw namedError("NoModel", "no model is active yet: train one, or activate a published model");
    if (loaded?.hash !== active.model) {
      const next = await load(env, active.model);
      if (loaded !== null) tf.dispose(loaded.weights);
      loaded = next;
    }
    return loaded;
  } catch (error) {
    const { name, message } = error as Error;
    if (name === "NoModel") throw error;
    // oxlint-disable-next-line no-console -- the only trace of a model that could not be loaded
    console.error(`active model: ${message}; ${loaded === null ? "no other model is loaded" : "the loaded model keeps answering"}`);
    if (loaded !== null) return loaded;
    throw namedError("NoModel", "the active model cannot be loaded: try again in a minute; if that does not help, activate another model");
  }
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}

async function load(env: GeneratorEnv, hash: Hash): Promise<LoadedModel> {
  await startBackend();
  const checkpoint = checkpointSchema.parse(parse(await readObject(env, "checkpoint", hash)));
  const tokenizer = loadTokenizer(parse(await readObject(env, "tokenizer", checkpoint.tokenizer)));
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
  return { hash, config: checkpoint.model, weights, tokenizer };
}
