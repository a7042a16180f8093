/**
 * Computes the mean of a round's updates, part by part, weighted by sequences, in fixed shard order. Each update, and the
 * optimizer state that comes with it, is checked while it is read. The sum is in wasm memory, where the optimizer reads it. A
 * few updates are read ahead into reused buffers.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { TrainingConfig } from "../../shared/config.ts";
import { expand } from "../../shared/model/formats/compression.ts";
import { isKept } from "../../shared/model/footprint/kept-model.ts";
import { bytesOfPart, partition } from "../../shared/model/formats/partition.ts";
import { decodeMixed, decodeSafetensors, type NamedArray } from "../../shared/model/formats/safetensors.ts";
import { checkPart, viewsOf } from "../../shared/model/formats/weights-file.ts";
import type { ShapedName, Weights } from "../../shared/model/weights.ts";
import { isDamage } from "../../shared/store.ts";
import type { TrainResult } from "../../shared/training/protocol/task.ts";
import type { PartBuffer } from "./parts.ts";
import { ReadAhead } from "./read-ahead.ts";
import type { RunSpec } from "../../shared/training/protocol/run-state.ts";
import { shardState } from "../../shared/training/protocol/shard-state.ts";

/** Honest updates stay far below this norm: gradients are averages, and the learning rate limits local steps. */
const MAX_DELTA_NORM = 1e4;

/** An update whose norm exceeds this multiple of its round's median is refused: shards differ only in their data. */
const MAX_NORM_RATIO = 10;
const MIN_SHARDS_TO_COMPARE = 3;

/** One shard's update or state is unusable. The shard is computed again. */
export class BadDelta extends Error {
  readonly shard: number;
  constructor(shard: number, message: string) {
    super(message);
    this.shard = shard;
  }
}

interface PartMean {
  index: number;
  mean: Weights;
  squares: number;
}

/**
 * Computes the mean of a round, part by part. The object owns the last mean that it returned: before the next mean it disposes
 * the tensors that the optimizer has not consumed.
 */
export class MeanUpdate {
  readonly #bucket: R2Bucket;
  readonly #run: string;
  readonly #parts: readonly ShapedName[][];
  readonly #training: TrainingConfig;
  readonly #isKept: boolean;
  readonly #results: readonly TrainResult[];
  readonly #buffers: readonly PartBuffer[];
  readonly #onPart: () => void;
  /** Per shard: the sum of squares of each part of its update. */
  readonly #squares: readonly Map<number, number>[];
  #last: PartMean | null = null;

  /** `onPart` is called before each part is read. The caller uses it to show that the work has not stopped. */
  constructor(
    bucket: R2Bucket,
    { run, model, training }: RunSpec,
    results: readonly TrainResult[],
    buffers: readonly PartBuffer[],
    onPart: () => void,
  ) {
    this.#bucket = bucket;
    this.#run = run;
    this.#parts = partition(model);
    this.#training = training;
    this.#isKept = isKept(model);
    this.#results = results;
    this.#buffers = buffers;
    this.#onPart = onPart;
    this.#squares = results.map(() => new Map<number, number>());
  }

  /** The norm of the mean over all parts. Throws the errors of `of` and `refuseOutlier`. */
  async norm(): Promise<number> {
    let sum = 0;
    for (const index of this.#parts.keys()) sum += (await this.#meanOf(index)).squares;
    this.refuseOutlier();
    return Math.sqrt(sum);
  }

  /**
   * The mean of one part. The last part that `norm` read stays in memory, so a model of one part is read once. Throws BadDelta
   * for an update with wrong names, shapes, values or norm.
   */
  async of(index: number): Promise<Weights> {
    return (await this.#meanOf(index)).mean;
  }

  /** Throws BadDelta for an update whose norm is far above the norms of its round. Call this after all parts have been read. */
  refuseOutlier(): void {
    const norms = this.#results.map((_, shard) => this.#normOf(shard));
    if (norms.length < MIN_SHARDS_TO_COMPARE) return;
    const limit = MAX_NORM_RATIO * norms.toSorted((a, b) => a - b)[norms.length >> 1]!;
    const shard = norms.findIndex((norm) => norm > limit);
    if (shard >= 0) throw new BadDelta(shard, `update of shard ${shard}: expected a norm of at most ${limit}, got ${norms[shard]}`);
  }

  dispose(): void {
    tf.dispose(this.#last?.mean ?? []);
    this.#last = null;
  }

  async #meanOf(index: number): Promise<PartMean> {
    if (this.#last?.index === index) return this.#last;
    this.dispose();
    this.#onPart();
    const part = this.#parts[index]!;
    const mean = Object.fromEntries(part.map(([name, shape]) => [name, tf.fill(shape, 0)]));
    const last = { index, mean, squares: 0 };
    const isFirst = !this.#squares[0]!.has(index);
    this.#last = last;
    const sequences = this.#results.reduce((sum, result) => sum + result.sequences, 0);
    for await (const [shard, update] of this.#updates(index)) {
      const share = this.#results[shard]!.sequences / sequences;
      // Each update needs new views, because growing wasm memory replaces its buffer.
      for (const [position, { data: sum }] of viewsOf(mean).entries()) addShare(sum, update[position]!.data, share);
    }
    if (isFirst) await this.#checkStates(index);
    last.squares = checkPart(viewsOf(mean), part);
    return last;
  }

  /** Yields every shard's update of a part, in shard order. Each update is valid until the next one is read. */
  async *#updates(index: number): AsyncGenerator<[shard: number, update: NamedArray[]]> {
    const part = this.#parts[index]!;
    const names = this.#results.map(({ delta }) => delta[index]!);
    const reads = new ReadAhead(this.#bucket, this.#run, names, bytesOfPart(part), this.#buffers);
    for (const shard of this.#results.keys())
      yield [shard, await this.#check("update", shard, index, reads.take(), (bytes) => this.#arraysOf(shard, index, bytes))];
  }

  /**
   * Checks the optimizer states that come with the updates of a part, through the same buffers. This is only for models whose
   * parts stay in memory. The states of larger models were checked when they were submitted (state-headers.ts).
   */
  async #checkStates(index: number): Promise<void> {
    const names = this.#results.flatMap(({ inner }) => inner?.[index] ?? []);
    if (!this.#isKept || names.length < this.#results.length) return;
    const expected = shardState(this.#parts[index]!, this.#training);
    const reads = new ReadAhead(this.#bucket, this.#run, names, bytesOfPart(expected), this.#buffers);
    for (const shard of this.#results.keys())
      await this.#check("state", shard, index, reads.take(), (bytes) => checkPart(decodeSafetensors(bytes), expected));
  }

  async #check<T>(what: string, shard: number, index: number, read: Promise<Uint8Array>, check: (bytes: Uint8Array) => T): Promise<T> {
    const blame = (error: unknown) => new BadDelta(shard, `${what} of shard ${shard}, part ${index}: ${(error as Error).message}`);
    const bytes = await read.catch((error: unknown) => {
      // A storage failure is not the shard's fault: the reduction is tried again.
      throw isDamage(error) ? blame(error) : error;
    });
    try {
      return check(bytes);
    } catch (error) {
      throw blame(error);
    }
  }

  /** Decodes and checks an update. Throws if the update is not allowed. */
  #arraysOf(shard: number, index: number, bytes: Uint8Array): NamedArray[] {
    const arrays = expand(decodeMixed(bytes));
    this.#squares[shard]!.set(index, checkPart(arrays, this.#parts[index]!));
    const norm = this.#normOf(shard);
    if (norm > MAX_DELTA_NORM) throw new Error(`expected a norm of at most ${MAX_DELTA_NORM}, got ${norm}`);
    if (norm === 0 && this.#squares[shard]!.size === this.#parts.length) throw new Error("expected an update, got zeros");
    return arrays;
  }

  /** The norm of a shard's update over the parts that were read so far. */
  #normOf(shard: number): number {
    return Math.sqrt([...this.#squares[shard]!.values()].reduce((sum, value) => sum + value, 0));
  }
}

function addShare(sum: Float32Array, values: Float32Array, share: number): void {
  for (let at = 0; at < sum.length; at++) sum[at]! += share * values[at]!;
}
