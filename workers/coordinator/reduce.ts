/**
 * A round's deltas become the next checkpoint: the mean over shards weighted by sequences, in fixed shard order, through
 * the optimizer that the mode asks for. Holds the model, its optimizer state and one delta at a time in memory.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Checkpoint } from "../../shared/artifacts.ts";
import { clipByGlobalNorm, createOptimizer, learningRateScale } from "../../shared/model/optimizer.ts";
import { checkParameters, decodeWeights, encodeWeights } from "../../shared/model/weights-file.ts";
import { initWeights, type Weights } from "../../shared/model/weights.ts";
import { getObject, putJson, putObject } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/backend.ts";
import type { TrainResult } from "../../shared/training/task.ts";
import type { Base, RunSpec, RunState } from "./run.ts";

/** No honest update comes near this norm: gradients are averages, and local steps are bounded by the learning rate. */
const MAX_DELTA_NORM = 1e4;

/** Thrown when one shard's delta cannot be used; the shard is computed again. */
export class BadDelta extends Error {
  readonly shard: number;
  constructor(shard: number, message: string) {
    super(message);
    this.shard = shard;
  }
}

async function putCheckpoint(bucket: R2Bucket, spec: RunSpec, round: number, base: Omit<Base, "checkpoint">): Promise<Base> {
  const { weights, outer, inner, tokens } = base;
  const { model, tokenizer, dataset } = spec;
  const checkpoint: Checkpoint = { format: 1, model, tokenizer, dataset, round, tokens, weights, outer, inner };
  return { checkpoint: await putJson(bucket, "checkpoint", checkpoint), ...base };
}

/** The checkpoint of round 0. */
export async function firstCheckpoint(bucket: R2Bucket, spec: RunSpec): Promise<Base> {
  await startBackend();
  const weights = initWeights(spec.model, spec.training.seed);
  const hash = await putObject(bucket, "weights", encodeWeights(weights));
  tf.dispose(weights);
  return putCheckpoint(bucket, spec, 0, {
    weights: hash,
    outer: null,
    inner: Array.from({ length: spec.training.shards }, () => null),
    tokens: 0,
  });
}

/** The checkpoint after a complete round. Throws BadDelta for a delta with wrong names, shapes, values or norm. */
export async function nextCheckpoint(bucket: R2Bucket, state: RunState): Promise<Base> {
  await startBackend();
  const { spec, base, round } = state;
  const { training } = spec;
  const results = state.results as TrainResult[];
  const totalSequences = results.reduce((sum, result) => sum + result.sequences, 0);
  let mean: Weights | null = null;
  for (const [shard, result] of results.entries()) {
    const delta = await readDelta(bucket, spec, shard, result);
    const previous: Weights | null = mean;
    mean = tf.tidy(() =>
      Object.fromEntries(
        Object.entries(delta).map(([name, tensor]) => {
          const part = tf.mul(tensor, result.sequences / totalSequences);
          return [name, previous === null ? part : tf.add(previous[name]!, part)];
        }),
      ),
    );
    tf.dispose([delta, previous ?? []]);
  }
  const gradients = training.steps === 1 ? clipByGlobalNorm(mean!, training.clipNorm).gradients : mean!;
  const optimizer = createOptimizer(training.steps === 1 ? training.optimizer : training.outer);
  const weights = decodeWeights(new Uint8Array(await getObject(bucket, "weights", base.weights)));
  const outer =
    base.outer === null ? optimizer.init(weights) : decodeWeights(new Uint8Array(await getObject(bucket, "optimizer", base.outer)));
  // The outer rule of local steps has a constant rate; the schedule has acted inside the shards.
  const scale = training.steps === 1 ? learningRateScale(training.schedule, round, spec.rounds) : 1;
  const next = optimizer.update(gradients, outer, weights, scale);
  const encoded = { weights: encodeWeights(next.weights), outer: encodeWeights(next.state) };
  tf.dispose([gradients, weights, outer, next]);
  return putCheckpoint(bucket, spec, round + 1, {
    weights: await putObject(bucket, "weights", encoded.weights),
    outer: await putObject(bucket, "optimizer", encoded.outer),
    inner: results.map((result) => result.inner),
    tokens: base.tokens + results.reduce((sum, result) => sum + result.tokens, 0),
  });
}

async function readDelta(bucket: R2Bucket, spec: RunSpec, shard: number, result: TrainResult): Promise<Weights> {
  try {
    const bytes = new Uint8Array(await getObject(bucket, "delta", result.delta));
    const norm = checkParameters(bytes, spec.model);
    if (norm > MAX_DELTA_NORM) throw new Error(`expected a norm of at most ${MAX_DELTA_NORM}, got ${norm}`);
    return decodeWeights(bytes);
  } catch (error) {
    throw new BadDelta(shard, `delta of shard ${shard}: ${(error as Error).message}`);
  }
}
