/**
 * A tfjs backend without tfjs's wasm module. That module is eight times as large as our kernels, and a decoder needs only four
 * of its operations (kernels.ts). This backend cannot train.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorBackend } from "../engine/kernel-context.ts";
import type { Heap } from "./heap.ts";

type Numbers = Float32Array | Int32Array;

interface Stored {
  offset: number;
  shape: number[];
  dtype: tf.DataType;
  references: number;
}

/** Bytes of a value. float32 and int32 are the only types. */
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

  makeOutput(shape: number[], dtype: tf.DataType, offset?: number): tf.TensorInfo {
    const dataId = {};
    this.#put(dataId, shape, dtype, 1, offset);
    return { dataId, shape, dtype };
  }

  #put(dataId: tf.DataId, shape: number[], dtype: tf.DataType, references: number, known?: number): number {
    if (dtype !== "float32" && dtype !== "int32") throw new Error(`tensor: expected float32 or int32, got ${dtype}`);
    const bytes = VALUE_BYTES * tf.util.sizeFromShape(shape);
    const offset = known ?? this.#heap.allocate(bytes);
    if (offset === 0) throw new Error(`tensor: expected ${bytes} bytes of memory for [${shape}], the browser refused`);
    this.#stored.set(dataId, { offset, shape, dtype, references });
    return offset;
  }

  #of(dataId: tf.DataId): Stored {
    const stored = this.#stored.get(dataId);
    if (stored === undefined) throw new Error("tensor: expected a live one, got a disposed one");
    return stored;
  }

  /** Returns a view of the values. The next allocation may invalidate the view. */
  typedArrayFromHeap({ dataId }: tf.TensorInfo): Numbers {
    const { offset, shape, dtype } = this.#of(dataId);
    const size = tf.util.sizeFromShape(shape);
    return dtype === "int32" ? new Int32Array(this.#memory.buffer, offset, size) : new Float32Array(this.#memory.buffer, offset, size);
  }

  getMemoryOffset(dataId: tf.DataId): number {
    return this.#of(dataId).offset;
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const dataId = {};
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(dataId: tf.DataId, values: tf.BackendValues | null, shape: number[], dtype: tf.DataType, refCount: number): void {
    this.#put(dataId, shape, dtype, refCount);
    if (values !== null) this.typedArrayFromHeap({ dataId, shape, dtype }).set(values as Numbers);
  }

  override readSync(dataId: tf.DataId): Numbers {
    return this.typedArrayFromHeap({ dataId, shape: [], dtype: "float32" }).slice();
  }

  override async read(dataId: tf.DataId): Promise<Numbers> {
    return this.readSync(dataId);
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
