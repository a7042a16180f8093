/**
 * A round's updates become the next checkpoint: the mean over shards weighted by sequences, in fixed shard order, through
 * the optimizer that the mode asks for. Works part by part, so memory grows neither with the model nor with the number
 * of shards: a part of the weights, its optimizer state, the mean and one update are there at a time.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Checkpoint, Hash } from "../../shared/artifacts.ts";
import { expand } from "../../shared/model/compression.ts";
import { createOptimizer, learningRateScale } from "../../shared/model/optimizer.ts";
import { partition, splitByPart } from "../../shared/model/partition.ts";
import { decodeMixed, encodeSafetensors, type NamedArray } from "../../shared/model/safetensors.ts";
import { checkPart, decodeParts, tensorsOf, viewsOf } from "../../shared/model/weights-file.ts";
import { initWeights, type Weights } from "../../shared/model/weights.ts";
import { putJson } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/backend.ts";
import type { Parts, TrainResult } from "../../shared/training/task.ts";
import { isKept, writePart, Workspace, PartBuffer } from "./parts.ts";
import { trainResults, type Base, type RunSpec, type RunState } from "./run-state.ts";

/** No honest update comes near this norm: gradients are averages, and local steps are bounded by the learning rate. */
const MAX_DELTA_NORM = 1e4;

/** Nor is one so many times as long as the median of its round: shards differ in their data only. */
const MAX_NORM_RATIO = 10;
const MIN_SHARDS_TO_COMPARE = 3;
/** Updates of a part that are read at once, since storage is slow but answers several; each is a few megabytes. */
const READ_AHEAD = 4;

/** Thrown when one shard's update cannot be used; the shard is computed again. */
export class BadDelta extends Error {
  readonly shard: number;
  constructor(shard: number, message: string) {
    super(message);
    this.shard = shard;
  }
}

/** Writes a checkpoint's manifest, after all that it names. */
export async function putCheckpoint(bucket: R2Bucket, spec: RunSpec, state: Omit<Base, "checkpoint">): Promise<Base> {
  const { model, tokenizer, dataset, run } = spec;
  const checkpoint: Checkpoint = { format: 2, model, tokenizer, dataset, ...state };
  return { ...state, checkpoint: await putJson(bucket, "checkpoint", checkpoint, run) };
}

/** The checkpoint of round 0. */
export async function firstCheckpoint(bucket: R2Bucket, spec: RunSpec): Promise<Base> {
  await startBackend();
  const initial = initWeights(spec.model, spec.training.seed);
  const weights: Parts = [];
  const room = new PartBuffer();
  for (const part of splitByPart(spec.model, initial)) {
    const bytes = encodeSafetensors(viewsOf(part), (size) => room.room(size));
    weights.push(await writePart(bucket, bytes, spec.run, false));
  }
  tf.dispose(initial);
  const inner = Array.from({ length: spec.training.shards }, () => null);
  return putCheckpoint(bucket, spec, { round: 0, tokens: 0, lrScale: 1, weights, outer: null, inner });
}

/** Workspaces of reductions that have ended; there are never more than reductions at once. */
const idle: Workspace[] = [];

/** The checkpoint after a complete round. Throws BadDelta for an update with wrong names, shapes, values or norm. */
export async function nextCheckpoint(bucket: R2Bucket, state: RunState): Promise<Base> {
  await startBackend();
  const space = idle.pop() ?? new Workspace(READ_AHEAD);
  try {
    return await reduce(bucket, state, space);
  } finally {
    idle.push(space);
  }
}

async function reduce(bucket: R2Bucket, state: RunState, space: Workspace): Promise<Base> {
  const { spec, base } = state;
  const { training, run } = spec;
  const results = trainResults(state);
  const parts = partition(spec.model);
  const { meanOf, norms } = createMean(bucket, state, results, space);
  const squares: number[] = [];
  for (const index of parts.keys()) squares.push((await meanOf(index)).squares);
  refuseOutlier(norms());
  const exact = training.steps === 1;
  const norm = Math.sqrt(squares.reduce((sum, value) => sum + value, 0));
  const clip = exact && training.clipNorm > 0 && norm > training.clipNorm ? training.clipNorm / norm : 1;
  const optimizer = createOptimizer(exact ? training.optimizer : training.outer);
  // The outer rule of local steps has a constant rate; schedule and rollbacks have acted inside the shards.
  const rate = exact ? learningRateScale(training.schedule, base.round, spec.rounds) * base.lrScale : 1;
  // What is kept in memory needs memory of its own.
  const keeps = isKept(parts.flat().reduce((sum, [, shape]) => sum + 4 * tf.util.sizeFromShape(shape), 0));
  const writes: Promise<[Hash, Hash]>[] = [];
  for (const index of parts.keys()) {
    const { mean } = await meanOf(index);
    const weights = decodeParts([await space.weights.read(bucket, base.weights[index]!, run)]);
    const outer = base.outer === null ? optimizer.init(weights) : decodeParts([await space.outer.read(bucket, base.outer[index]!, run)]);
    for (const { data } of mean) if (clip !== 1) for (let at = 0; at < data.length; at++) data[at]! *= clip;
    const updated = optimizer.update(tensorsOf(mean), outer, weights, rate);
    const rooms = space.written[index % 2]!;
    const encode = (tensors: Weights, buffer: PartBuffer) =>
      encodeSafetensors(viewsOf(tensors), keeps ? undefined : (bytes) => buffer.room(bytes));
    const [encodedWeights, encodedState] = [encode(updated.weights, rooms.weights), encode(updated.state, rooms.outer)];
    tf.dispose([updated.weights, updated.state]);
    // A part is written while the next one is computed, so at most two are there.
    await writes.at(-1);
    writes.push(Promise.all([writePart(bucket, encodedWeights, run, keeps), writePart(bucket, encodedState, run, keeps)]));
  }
  const written = await Promise.all(writes);
  return putCheckpoint(bucket, spec, {
    round: base.round + 1,
    tokens: base.tokens + results.reduce((sum, result) => sum + result.tokens, 0),
    lrScale: base.lrScale,
    weights: written.map(([weights]) => weights),
    outer: written.map(([, outer]) => outer),
    inner: results.map((result) => result.inner),
  });
}

/** Throws BadDelta for an update that is far longer than the others of its round. */
function refuseOutlier(norms: readonly number[]): void {
  if (norms.length < MIN_SHARDS_TO_COMPARE) return;
  const limit = MAX_NORM_RATIO * norms.toSorted((a, b) => a - b)[norms.length >> 1]!;
  const shard = norms.findIndex((norm) => norm > limit);
  if (shard >= 0) throw new BadDelta(shard, `update of shard ${shard}: expected a norm of at most ${limit}, got ${norms[shard]}`);
}

/**
 * Mean update of a part over shards and the sum of its squares. Every part is asked for twice, first for the norm: the
 * last answer is kept, so a model of one part is read once.
 */
function createMean(bucket: R2Bucket, { spec }: RunState, results: readonly TrainResult[], space: Workspace) {
  const parts = partition(spec.model);
  const sequences = results.reduce((sum, result) => sum + result.sequences, 0);
  const squaresOf = results.map(() => new Map<number, number>());
  let last: { index: number; mean: NamedArray[]; squares: number } | null = null;

  const normOf = (shard: number) => Math.sqrt([...squaresOf[shard]!.values()].reduce((sum, value) => sum + value, 0));

  /** One shard's update of a part, checked. */
  async function check(shard: number, index: number, bytes: Promise<Uint8Array>): Promise<NamedArray[]> {
    try {
      const arrays = expand(decodeMixed(await bytes));
      squaresOf[shard]!.set(index, checkPart(arrays, parts[index]!));
      const norm = normOf(shard);
      if (norm > MAX_DELTA_NORM) throw new Error(`expected a norm of at most ${MAX_DELTA_NORM}, got ${norm}`);
      if (norm === 0 && squaresOf[shard]!.size === parts.length) throw new Error("expected an update, got zeros");
      return arrays;
    } catch (error) {
      throw new BadDelta(shard, `update of shard ${shard}, part ${index}: ${(error as Error).message}`);
    }
  }

  const meanOf = async (index: number): Promise<{ mean: NamedArray[]; squares: number }> => {
    if (last?.index === index) return last;
    last = null;
    const sizes = parts[index]!.map(([, shape]) => tf.util.sizeFromShape(shape));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const sums = new Float32Array(space.sum.room(4 * total), 0, total).fill(0);
    let end = 0;
    const mean: NamedArray[] = parts[index]!.map(([name, shape], position) => ({
      name,
      shape,
      data: sums.subarray(end, (end += sizes[position]!)),
    }));
    const ahead: Promise<Uint8Array>[] = [];
    for (const [shard, result] of results.entries()) {
      for (let next = shard + ahead.length; next < Math.min(results.length, shard + READ_AHEAD); next++) {
        const bytes = space.updates[next % READ_AHEAD]!.read(bucket, results[next]!.delta[index]!, spec.run);
        // Its turn comes below, or never when an earlier one is bad.
        bytes.catch(() => undefined);
        ahead.push(bytes);
      }
      const share = result.sequences / sequences;
      for (const [position, { data }] of (await check(shard, index, ahead.shift()!)).entries()) {
        const sum = mean[position]!.data;
        for (let at = 0; at < sum.length; at++) sum[at]! += share * data[at]!;
      }
    }
    last = { index, mean, squares: checkPart(mean, parts[index]!) };
    return last;
  };
  return { meanOf, norms: () => results.map((_, shard) => normOf(shard)) };
}
