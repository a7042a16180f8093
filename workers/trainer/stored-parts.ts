/**
 * Reads and writes a task's parts as stored objects. A part is decoded when the task asks for it, and encoded as soon as the
 * task delivers it.
 */
import type { Hash } from "../../shared/artifacts.ts";
import { compress, RESIDUAL } from "../../shared/model/formats/compression.ts";
import { parameterOf } from "../../shared/model/formats/partition.ts";
import { decodeSafetensors, encodeSafetensors, type NamedArray, type Values } from "../../shared/model/formats/safetensors.ts";
import { tensorsOf, viewsOf } from "../../shared/model/formats/weights-file.ts";
import type { Weights } from "../../shared/model/weights.ts";
import type { EvaluateTask, TrainResult, TrainTask } from "../../shared/training/protocol/task.ts";
import type { ObjectCache } from "./object-cache.ts";
import type { TaskParts } from "../../shared/training/compute/run-task.ts";

/** True for a rounding error of earlier updates. A stored state holds the local optimizer's tensors and these errors. */
const isResidual = ({ name }: NamedArray) => name.endsWith(RESIDUAL);

interface Stored {
  hash: Hash;
  bytes: number;
}

const bytesOf = (stored: readonly Stored[]) => stored.reduce((sum, { bytes }) => sum + bytes, 0);

export class StoredParts implements TaskParts {
  readonly #task: TrainTask;
  readonly #objects: ObjectCache;
  /** For each part, the writes of its update and its state. */
  readonly #stored: Promise<[update: Stored, inner: Stored | null]>[] = [];
  #transferMs = 0;

  constructor(task: TrainTask, objects: ObjectCache) {
    this.#task = task;
    this.#objects = objects;
  }

  weights(part: number): Promise<NamedArray[]> {
    return this.#read(this.#task.weights[part]!);
  }

  async state(part: number): Promise<NamedArray[]> {
    return (await this.#readInner(part)).filter((array) => !isResidual(array));
  }

  async write(part: number, delta: Weights, state: Weights): Promise<void> {
    const { training } = this.#task;
    const before = training.compression === "float32" ? [] : (await this.#readInner(part)).filter(isResidual);
    const residuals = Object.fromEntries(before.map(({ name, data }) => [parameterOf(name), data]));
    const compressed = compress(viewsOf(delta), residuals, training.compression);
    const update = this.#store(compressed.arrays);
    // If both share one buffer, the update must be stored before the state is encoded. `viewsOf(state)` comes later, because wasm
    // memory may have grown meanwhile and old views would be invalid.
    if (!this.#objects.keepsParts) await this.#timed(update);
    const kept = [...viewsOf(state), ...compressed.residuals];
    const stored = Promise.all([update, kept.length === 0 ? null : this.#store(kept)]);
    this.#stored.push(stored);
    // `written` throws the error.
    stored.catch(() => undefined);
    if (!this.#objects.keepsParts) await this.#timed(stored);
  }

  /** Encodes at once, so that the caller may free the tensors. Resolves when the bytes are stored. */
  async #store(arrays: readonly NamedArray<Values>[]): Promise<Stored> {
    const encoded = encodeSafetensors(arrays, (size) => this.#objects.room(size));
    return { hash: await this.#objects.writePart(encoded, this.#task.run), bytes: encoded.byteLength };
  }

  /** Milliseconds spent waiting for transfers. */
  transferMs(): number {
    return this.#transferMs;
  }

  async #timed<T>(transfer: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    const result = await transfer;
    this.#transferMs += performance.now() - startedAt;
    return result;
  }

  /** The hashes and sizes of the written objects. Waits until all are stored. */
  async written(): Promise<Pick<TrainResult, "delta" | "inner" | "deltaBytes" | "innerBytes">> {
    const all = await this.#timed(Promise.all(this.#stored));
    const inner = all.flatMap(([, state]) => state ?? []);
    return {
      delta: all.map(([update]) => update.hash),
      inner: inner.length === 0 ? null : inner.map(({ hash }) => hash),
      deltaBytes: bytesOf(all.map(([update]) => update)),
      innerBytes: bytesOf(inner),
    };
  }

  async #readInner(part: number): Promise<NamedArray[]> {
    const hash = this.#task.inner?.[part];
    return hash === undefined ? [] : this.#read(hash);
  }

  async #read(hash: Hash): Promise<NamedArray[]> {
    return decodeSafetensors(await this.#timed(this.#objects.readPart(hash, this.#task.run)));
  }
}

/** Adds the weights of an evaluation task to `into`. The owner of `into` disposes them, even after a failure. */
export async function readWeights(task: EvaluateTask, objects: ObjectCache, into: Weights): Promise<void> {
  for (const hash of task.weights) Object.assign(into, tensorsOf(decodeSafetensors(await objects.readPart(hash, task.run))));
}
