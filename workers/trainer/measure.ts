/**
 * What learning from votes asks of published models: log-probabilities of answers, wins on held-out pairs, losses, and lessons that are
 * still answered. Each call loads one model from the bucket and works on a limited number of examples. The result depends on the named
 * objects alone.
 */
import * as tf from "@tensorflow/tfjs-core";
import { checkpointSchema, datasetSchema, type Hash, type TokenShardEntry } from "../../shared/artifacts.ts";
import type { ModelConfig } from "../../shared/config.ts";
import { decoderCheckpoint } from "../../shared/decoder-checkpoint.ts";
import { datasetBeforeVotes } from "../../shared/lessons/pretraining.ts";
import { pairsOf } from "../../shared/lessons/records.ts";
import { tensorsOf } from "../../shared/model/formats/weights-file.ts";
import { decodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { hiddenRows, logitsOf } from "../../shared/model/transformer.ts";
import type { Weights } from "../../shared/model/weights.ts";
import { marginsOf, writeReferences } from "../../shared/preferences/reference.ts";
import { getJson, getObject } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import { getTokenShard, putTokenShard } from "../../shared/tokenizer/stored-shards.ts";
import { evaluateExamples } from "../../shared/training/compute/run-task.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";
import { conversationBatch } from "../../shared/training/objectives/sft.ts";
import { streamOf } from "./compute-task.ts";
import { objectsOf } from "./isolate.ts";

/** Held-out examples of a measurement: enough for a loss that is exact to about a percent. */
const MAX_EXAMPLES = 128;
const BATCH = 8;

async function withModel<T>(env: TrainerEnv, model: Hash, work: (weights: Weights, model: ModelConfig) => Promise<T> | T): Promise<T> {
  await startBackend();
  const checkpoint = decoderCheckpoint(await getJson(env.ARTIFACTS, "checkpoint", model, checkpointSchema), "model");
  const weights: Weights = {};
  try {
    for (const hash of checkpoint.weights)
      Object.assign(weights, tensorsOf(decodeSafetensors(new Uint8Array(await getObject(env.ARTIFACTS, "part", hash)))));
    return await work(weights, checkpoint.model);
  } finally {
    tf.dispose(weights);
  }
}

/** A shard of pairs with the log-probabilities of a model. */
export function referenceShard(env: TrainerEnv, model: Hash, shard: TokenShardEntry): Promise<TokenShardEntry> {
  return withModel(env, model, async (weights, config) => {
    const numbers = await getTokenShard(env.ARTIFACTS, shard.hash);
    writeReferences(weights, config, numbers);
    return putTokenShard(env.ARTIFACTS, numbers);
  });
}

/** The held-out pairs of a dataset, and those in which the model prefers the better answer more than the reference does. */
export function countWins(env: TrainerEnv, model: Hash, dataset: Hash): Promise<{ pairs: number; wins: number }> {
  return withModel(env, model, async (weights, config) => {
    const { val } = await getJson(env.ARTIFACTS, "dataset", dataset, datasetSchema);
    const margins: number[] = [];
    for (const shard of val) margins.push(...marginsOf(weights, config, await getTokenShard(env.ARTIFACTS, shard.hash)));
    return { pairs: margins.length, wins: margins.filter((margin) => margin > 0).length };
  });
}

export interface EarlierDataset {
  dataset: Hash;
  objective: "pretrain" | "sft";
}

/** The dataset that a model has learned; for a model that learned preferences, that of its reference. Null if it is not stored here, or is none of text or lessons. */
export async function earlierDataset(env: TrainerEnv, model: Hash): Promise<EarlierDataset | null> {
  const learned = await datasetBeforeVotes(env.ARTIFACTS, await getJson(env.ARTIFACTS, "checkpoint", model, checkpointSchema));
  const kind = learned?.dataset.kind;
  return kind === "pretrain" || kind === "sft" ? { dataset: learned!.hash, objective: kind } : null;
}

export interface HeldOut {
  /** The mean loss on the first held-out examples. */
  loss: number;
  /** Lessons: for each example, whether the model's most probable tokens are its answer, word for word. Other datasets: empty. */
  right: boolean[];
}

/** A model on the held-out examples of a dataset that models learn with this objective. */
export function measureHeldOut(env: TrainerEnv, model: Hash, dataset: Hash, objective: "pretrain" | "sft"): Promise<HeldOut> {
  return withModel(env, model, async (weights, config) => {
    const { val, valTokens } = await getJson(env.ARTIFACTS, "dataset", dataset, datasetSchema);
    const stream = streamOf(val, valTokens, objectsOf(env));
    const count = Math.min(MAX_EXAMPLES, objectiveOf({ objective }).examples.validationCount(valTokens, config));
    const first = Array.from({ length: count }, (_, example) => example);
    const right: boolean[] = [];
    const total = await evaluateExamples({ model: config, objective, batch: BATCH }, weights, stream, first, (records) => {
      if (objective === "sft") right.push(...records.map((record) => isAnswered(weights, config, record)));
    });
    return { loss: total.lossSum / total.targets, right };
  });
}

/** True if each token of a lesson's answer is the most probable one. */
function isAnswered(weights: Weights, model: ModelConfig, record: Uint16Array): boolean {
  if (pairsOf(record) < 2) return true;
  const { inputs, labels } = conversationBatch([record], model.context);
  const logits = tf.tidy(() => logitsOf(weights, model, hiddenRows(weights, model, tf.tensor1d(inputs, "int32"), 1)).dataSync());
  return labels.every((label, row) => {
    if (label === -1) return true;
    const own = logits.subarray(row * model.vocabSize, (row + 1) * model.vocabSize);
    return own.every((logit) => logit <= own[label]!);
  });
}
