/**
 * A training run in a plain loop: the product's own functions for the trainer's task and the coordinator's reduction, on a
 * bucket in memory. There are no leases, transfers or stored states; only the arithmetic is the same.
 */
import * as tf from "@tensorflow/tfjs-core";
import { objectKey } from "../../../../shared/artifacts.ts";
import { decodeSafetensors, encodeSafetensors, type NamedArray } from "../../../../shared/model/formats/safetensors.ts";
import { arraysOf, tensorsOf, viewsOf } from "../../../../shared/model/formats/weights-file.ts";
import { getObject, putObject } from "../../../../shared/store.ts";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import type { EvaluateTask, TrainResult, TrainTask } from "../../../../shared/training/protocol/task.ts";
import { MapBucket } from "../../../simulation/map-bucket.ts";
import { firstCheckpoint, nextCheckpoint, putCheckpoint } from "../coordinator.ts";
import { initialState, type RunSpec, type RunState } from "../../../../shared/training/protocol/run-state.ts";
import { runEvaluateTask, runTrainTask, type TaskParts } from "../../../../shared/training/compute/run-task.ts";
import type { Stream } from "../../../../shared/training/compute/examples.ts";
import { planTask } from "../../../../shared/training/compute/plan-task.ts";

const streamOf = (tokens: Uint16Array): Stream => ({
  length: tokens.length,
  read: async (first, end) => tokens.subarray(first, end),
});

export interface Progress {
  round: number;
  rounds: number;
  tokens: number;
  /** Mean training loss of the last round, in nats per token. */
  loss: number;
  /** Loss over all validation tokens; null until the last round is done. */
  valLoss: number | null;
}

export class Loop {
  readonly #objects: MapBucket;
  readonly #bucket: R2Bucket;
  readonly #train: Uint16Array;
  readonly #val: Uint16Array;
  /** For each shard, its optimizer state by part. */
  readonly #inner: NamedArray[][][];
  #state: RunState;
  #loss = Number.NaN;

  private constructor(state: RunState, objects: MapBucket, train: Uint16Array, val: Uint16Array) {
    this.#state = state;
    this.#objects = objects;
    this.#bucket = objects.asBucket();
    this.#train = train;
    this.#val = val;
    this.#inner = state.slots.map(() => []);
  }

  static async begin(spec: RunSpec, train: Uint16Array, val: Uint16Array): Promise<Loop> {
    await startBackend();
    const objects = new MapBucket();
    return new Loop(initialState(spec, await firstCheckpoint(objects.asBucket(), spec)), objects, train, val);
  }

  /** Begins with a model's parts, like a run that starts from a model. */
  static async beginFrom(
    spec: RunSpec,
    parts: readonly Uint8Array<ArrayBuffer>[],
    lrScale: number,
    train: Uint16Array,
    val: Uint16Array,
  ): Promise<Loop> {
    await startBackend();
    const objects = new MapBucket();
    const weights = await Promise.all(parts.map((bytes) => putObject(objects.asBucket(), "part", bytes, spec.run)));
    const inner = Array.from({ length: spec.training.shards }, () => null);
    const first = { round: 0, tokens: 0, lrScale, weights, outer: null, inner };
    return new Loop(initialState(spec, await putCheckpoint(objects.asBucket(), spec, first)), objects, train, val);
  }

  /** The current weights, as parts. */
  async parts(): Promise<Uint8Array<ArrayBuffer>[]> {
    const { base, spec } = this.#state;
    return Promise.all(base.weights.map(async (hash) => new Uint8Array(await getObject(this.#bucket, "part", hash, spec.run))));
  }

  /** Computes rounds for about `seconds`, or until the run is done. */
  async advance(seconds: number): Promise<Progress> {
    const { rounds } = this.#state.spec;
    const deadline = Date.now() + seconds * 1000;
    while (this.#state.base.round < rounds && Date.now() < deadline) await this.#round();
    const { round, tokens } = this.#state.base;
    return { round, rounds, tokens, loss: this.#loss, valLoss: round < rounds ? null : await this.#evaluate() };
  }

  /** Reads one part of the base weights. */
  async #weights(part: number): Promise<NamedArray[]> {
    const { base, spec } = this.#state;
    return decodeSafetensors(new Uint8Array(await getObject(this.#bucket, "part", base.weights[part]!, spec.run)));
  }

  async #round(): Promise<void> {
    const { spec, base } = this.#state;
    const { model, training, dataset, run } = spec;
    const results: TrainResult[] = [];
    for (let shard = 0; shard < training.shards; shard++) {
      const named = { run, round: base.round, shard, base: base.checkpoint, weights: base.weights, inner: null, dataset };
      const task: TrainTask = { kind: "train", ...named, model, training, lrScale: base.lrScale };
      const inner = this.#inner[shard]!;
      const delta: string[] = [];
      const parts: TaskParts = {
        weights: (part) => this.#weights(part),
        state: async (part) => inner[part] ?? [],
        write: async (part, moved, state) => {
          inner[part] = arraysOf(state);
          delta.push(await putObject(this.#bucket, "part", encodeSafetensors(viewsOf(moved)), run));
        },
      };
      const { loss, sequences, tokens } = await runTrainTask(task, planTask(task), parts, streamOf(this.#train));
      results.push({ kind: "train", delta, inner: null, loss, sequences, tokens, deltaBytes: 0, innerBytes: 0 });
    }
    const slots = results.map((result) => ({ leases: [], votes: [], bad: [], result }));
    const next = await nextCheckpoint(this.#bucket, { ...this.#state, slots });
    this.#state = { ...this.#state, base: next };
    this.#loss = results.reduce((sum, { loss }) => sum + loss, 0) / results.length;
    const keep = new Set([...next.weights, ...(next.outer ?? [])].map((hash) => objectKey("part", hash, run)));
    for (const key of this.#objects.objects.keys()) if (!keep.has(key)) this.#objects.objects.delete(key);
  }

  async #evaluate(): Promise<number> {
    const { spec, base } = this.#state;
    const named = { run: spec.run, round: base.round, shard: 0, shards: 1, base: base.checkpoint, weights: base.weights };
    const task: EvaluateTask = {
      kind: "evaluate",
      ...named,
      dataset: spec.dataset,
      objective: spec.training.objective,
      model: spec.model,
      batch: 16,
    };
    const parts = await Promise.all(base.weights.map((_, part) => this.#weights(part)));
    const weights = tensorsOf(parts.flat());
    try {
      const { lossSum, targets } = await runEvaluateTask(task, weights, streamOf(this.#val));
      return lossSum / targets;
    } finally {
      tf.dispose(weights);
    }
  }
}
