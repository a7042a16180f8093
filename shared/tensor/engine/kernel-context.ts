/** The context in which kernels are registered. Types only; create-context.ts creates the context. */
import type * as tf from "@tensorflow/tfjs-core";
import type { CommandBuffer } from "./command-buffer.ts";
import type { KernelExports } from "./kernel-exports.ts";
import type { Pointer } from "./wasm-runtime.ts";

/** The methods of a backend that registrations use. tfjs's wasm backend (backend.ts) and the bare backend (../bare) have them. */
export interface TensorBackend {
  /** Creates a tensor: of new memory, or of the values at `offset`. */
  makeOutput(shape: number[], dtype: tf.DataType, offset?: number): tf.TensorInfo;
  getMemoryOffset(dataId: tf.DataId): number;
  incRef(dataId: tf.DataId): void;
  disposeData(dataId: tf.DataId): boolean;
}

/** The arguments of a registered kernel. */
export interface KernelCall {
  inputs: Readonly<Record<string, tf.TensorInfo>>;
  attrs: unknown;
  /** Allocates a float32 output. */
  output(shape: number[]): tf.TensorInfo;
}

/** A registered kernel. tfjs calls it with tensors; buffer.ts calls it with buffers. */
export type Kernel = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

export interface KernelContext {
  backend: TensorBackend;
  /** The compiled kernels, called through the command buffer. */
  kernels: KernelExports;
  commands: CommandBuffer;
  /** The address of the values of a tensor or a buffer. */
  offset(info: tf.TensorInfo): Pointer;
  /** Flushes and returns a view of the values. The next allocation may invalidate the view. */
  floats(info: tf.TensorInfo): Float32Array;
  /** Like `floats`, for ids and labels. Does not flush, because kernels never write ids or labels. */
  integers(info: tf.TensorInfo): Int32Array;
  /** Scratch memory of at least `bytes` bytes, valid until the next call of `scratch`. */
  scratch(bytes: number): Pointer;
  /** Allocates memory that is valid until `free`. tfjs does not count it as a tensor. */
  allocate(bytes: number): Pointer;
  free(start: number): void;
  /** Copies within wasm memory, after all recorded commands. */
  copy(from: number, to: number, bytes: number): void;
  /** Writes values to wasm memory, after all recorded commands. */
  write(start: number, values: Float32Array | Int32Array): void;
  /** Registers a kernel for the wasm backend. Replaces a kernel with the same name. */
  register(kernelName: string, kernel: Kernel): void;
}
