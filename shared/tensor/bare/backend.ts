/**
 * A tfjs backend without tfjs's wasm module. That module is eight times as large as our kernels, and decoding uses none of its
 * operations (../registered/decode.ts). Here tfjs only owns tensors, whose values are read and written in place.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorBackend } from "../engine/kernel-context.ts";
import type { Heap } from "./heap.ts";

interface Stored {
  offset: number;
  shape: number[];
  references: number;
}

/** Bytes of a value. float32 is the only type. */
const VALUE_BYTES = 4;

export class BareBackend extends tf.KernelBackend implements TensorBackend {
  readonly #memory: WebAssembly.Memory;
  readonly #heap: Heap;
  readonly #stored = new Map<tf.DataId, Stored>();

  constructor(memory: WebAssembly.Memory, heap: Heap) {
    super();
    this.#memory = memory;
    this.#heap = heap;
  }

  makeOutput(shape: number[], dtype: tf.DataType, known?: number): tf.TensorInfo {
    if (dtype !== "float32") throw new Error(`tensor: expected float32, got ${dtype}`);
    const bytes = VALUE_BYTES * tf.util.sizeFromShape(shape);
    const offset = known ?? this.#heap.allocate(bytes);
    if (offset === 0) throw new Error(`tensor: expected ${bytes} bytes of memory for [${shape}], the browser refused`);
    const dataId = {};
    this.#stored.set(dataId, { offset, shape, references: 1 });
    return { dataId, shape, dtype };
  }

  #of(dataId: tf.DataId): Stored {
    const stored = this.#stored.get(dataId);
    if (stored === undefined) throw new Error("tensor: expected a live one, got a disposed one");
    return stored;
  }

  /** Returns a view of the values. The next allocation may invalidate the view. */
  typedArrayFromHeap({ dataId }: tf.TensorInfo): Float32Array {
    const { offset, shape } = this.#of(dataId);
    return new Float32Array(this.#memory.buffer, offset, tf.util.sizeFromShape(shape));
  }

  getMemoryOffset(dataId: tf.DataId): number {
    return this.#of(dataId).offset;
  }

  override incRef(dataId: tf.DataId): void {
    this.#of(dataId).references++;
  }

  override refCount(dataId: tf.DataId): number {
    return this.#stored.get(dataId)?.references ?? 0;
  }

  override disposeData(dataId: tf.DataId, force = false): boolean {
    const stored = this.#stored.get(dataId);
    if (stored === undefined) return true;
    stored.references--;
    if (!force && stored.references > 0) return false;
    this.#heap.free(stored.offset);
    this.#stored.delete(dataId);
    return true;
  }

  override numDataIds(): number {
    return this.#stored.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override dispose(): void {
    this.#stored.clear();
  }
}
