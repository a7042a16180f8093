/**
 * Turns a round's updates into the next checkpoint: the optimizer of the run's mode applies the mean of the updates (mean.ts).
 * It works part by part and holds one part of the weights, its optimizer state, its mean and a few updates. So memory does not
 * grow with the model or with the number of shards.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Checkpoint, Hash } from "../../shared/artifacts.ts";
import { createOptimizer, learningRateScale } from "../../shared/training/compute/optimizer.ts";
import { isKept } from "../../shared/model/footprint/kept-model.ts";
import { partition } from "../../shared/model/formats/partition.ts";
import { encodeSafetensors } from "../../shared/model/formats/safetensors.ts";
import { decodeParts, viewsOf } from "../../shared/model/formats/weights-file.ts";
import { initWeights, type Weights } from "../../shared/model/weights.ts";
import { putJson } from "../../shared/store.ts";
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import type { Reservation } from "../../shared/bytes/memory-budget.ts";
import { reserveReduction } from "./isolate-memory.ts";
import { MeanUpdate } from "./mean.ts";
import { Workspace, writePart, type PartBuffer } from "./parts.ts";
import { trainResults, type Base, type RunSpec, type RunState } from "../../shared/training/protocol/run-state.ts";

/** Writes a checkpoint's manifest. Every object that it names must be stored already. */
export async function putCheckpoint(bucket: R2Bucket, spec: RunSpec, state: Omit<Base, "checkpoint">): Promise<Base> {
  const { model, tokenizer, dataset, endTokens, run } = spec;
  const checkpoint: Checkpoint = { format: 2, model, tokenizer, dataset, endTokens, ...state };
  return { ...state, checkpoint: await putJson(bucket, "checkpoint", checkpoint, run) };
}

/** The workspace of the last reduction, for the next one. */
let idle: Workspace | null = null;

/** One reduction at a time works in an isolate, because the objects of several runs share its memory. Throws Busy. */
async function withWorkspace<T>(run: string, work: (space: Workspace, memory: Reservation) => Promise<T>): Promise<T> {
  await startBackend();
  using memory = await reserveReduction(run);
  const space = idle ?? new Workspace();
  idle = null;
  try {
    return await work(space, memory);
  } finally {
    idle = space;
  }
}

/** The checkpoint of round 0. */
export function firstCheckpoint(bucket: R2Bucket, spec: RunSpec): Promise<Base> {
  return withWorkspace(spec.run, async (space, memory) => {
    const weights: Hash[] = [];
    for (const part of partition(spec.model)) {
      memory.renew();
      const bytes = encode(initWeights(spec.model, spec.training.seed, part), space.weights);
      weights.push(await writePart(bucket, bytes, spec.run, false));
    }
    const inner = Array.from({ length: spec.training.shards }, () => null);
    return putCheckpoint(bucket, spec, { round: 0, tokens: 0, lrScale: 1, weights, outer: null, inner });
  });
}

/** The checkpoint after a complete round. Throws BadDelta for an update with wrong names, shapes, values or norm. */
export function nextCheckpoint(bucket: R2Bucket, state: RunState): Promise<Base> {
  return withWorkspace(state.spec.run, async (space, memory) => {
    const update = new MeanUpdate(bucket, state.spec, trainResults(state), space.updates, () => memory.renew());
    const writes: Promise<[Hash, Hash]>[] = [];
    try {
      return await reduce(bucket, state, update, space, writes);
    } finally {
      update.dispose();
      // The next reduction may use the buffers only after all writes have ended, even after an error.
      await Promise.allSettled(writes);
    }
  });
}

async function reduce(
  bucket: R2Bucket,
  state: RunState,
  update: MeanUpdate,
  space: Workspace,
  writes: Promise<[Hash, Hash]>[],
): Promise<Base> {
  const { spec, base } = state;
  const { training, run } = spec;
  const parts = partition(spec.model);
  const exact = training.steps === 1;
  const clips = exact && training.clipNorm > 0;
  // Clipping needs the norm of the whole mean first. So with clipping, the updates of a model of several parts are read twice.
  // Without clipping, an outlier is found only at the end, and the parts that are written by then become garbage.
  const norm = clips || parts.length === 1 ? await update.norm() : 0;
  const clip = clips && norm > training.clipNorm ? training.clipNorm / norm : 1;
  const optimizer = createOptimizer(exact ? training.optimizer : training.outer);
  // With local steps the outer optimizer has a constant rate, because schedule and rollbacks act inside the shards.
  const rate = exact ? learningRateScale(training.schedule, base.round, spec.rounds) * base.lrScale : 1;
  // A part that stays in memory gets its own memory instead of a reused buffer.
  const keeps = isKept(spec.model);
  let counted: Promise<Hash> | null = null;
  for (const index of parts.keys()) {
    const mean = await update.of(index);
    if (clip !== 1) for (const { data } of viewsOf(mean)) multiply(data, clip);
    // A part is written while the updates of the next part are read. Its buffers are free when the write has ended.
    await writes.at(-1);
    const [ownBytes, outerBytes] = await Promise.all([
      space.weights.read(bucket, base.weights[index]!, run),
      base.outer === null ? null : space.outer.read(bucket, base.outer[index]!, run),
    ]);
    const weights = decodeParts([ownBytes]);
    const outer = outerBytes === null ? optimizer.init(weights) : decodeParts([outerBytes]);
    const updated = optimizer.update(mean, outer, weights, rate);
    // Without momentum the state is only the count of steps. Then all parts share one state object, because R2 takes one write
    // per second and key.
    const isCount = Object.keys(updated.state).length === 1;
    const bytes = [encode(updated.weights, keeps ? null : space.weights), encode(updated.state, keeps ? null : space.outer)] as const;
    const outerWritten: Promise<Hash> = (isCount ? counted : null) ?? writePart(bucket, bytes[1], run, keeps);
    if (isCount) counted = outerWritten;
    const writing = Promise.all([writePart(bucket, bytes[0], run, keeps), outerWritten]);
    // This prevents an unhandled rejection. The error is thrown where `writes` is awaited: above, below or in the caller.
    writing.catch(() => undefined);
    writes.push(writing);
  }
  update.refuseOutlier();
  const written = await Promise.all(writes);
  const results = trainResults(state);
  return putCheckpoint(bucket, spec, {
    round: base.round + 1,
    tokens: base.tokens + results.reduce((sum, result) => sum + result.tokens, 0),
    lrScale: base.lrScale,
    weights: written.map(([weights]) => weights),
    outer: written.map(([, outer]) => outer),
    inner: results.map((result) => result.inner),
  });
}

/** Encodes tensors into `buffer`, or into new memory if it is null. Disposes the tensors. */
function encode(tensors: Weights, buffer: PartBuffer | null): Uint8Array<ArrayBuffer> {
  const bytes = encodeSafetensors(viewsOf(tensors), buffer === null ? undefined : (size) => buffer.room(size));
  tf.dispose(tensors);
  return bytes;
}

function multiply(values: Float32Array, factor: number): void {
  for (let at = 0; at < values.length; at++) values[at]! *= factor;
}
