/** What the registration of a kernel works with. Types only: create-context.ts makes the one there is. */
import type * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import type { CommandBuffer } from "./command-buffer.ts";
import type { KernelExports } from "./kernel-exports.ts";
import type { Pointer } from "./wasm-runtime.ts";

/** One call of a registered kernel. */
export interface KernelCall {
  inputs: Readonly<Record<string, tf.TensorInfo>>;
  attrs: unknown;
  /** Room for an output of float32. */
  output(shape: number[]): tf.TensorInfo;
}

/** A registered kernel. tfjs calls it with tensors, buffer.ts with buffers. */
export type Kernel = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

export interface KernelContext {
  backend: BackendWasm;
  /** The compiled kernels, through the command buffer. */
  kernels: KernelExports;
  commands: CommandBuffer;
  /** Where the numbers of a tensor or a buffer begin. */
  offset(info: tf.TensorInfo): Pointer;
  /** A view of the numbers, up to date; the next allocation may end its life. */
  floats(info: tf.TensorInfo): Float32Array;
  /** The same for ids and labels, which no kernel writes: does not flush. */
  integers(info: tf.TensorInfo): Int32Array;
  /** Scratch memory of at least that size, until the next call. */
  scratch(bytes: number): Pointer;
  /** Memory that stays until it is passed to `free`. tfjs does not count it as tensors. */
  allocate(bytes: number): Pointer;
  free(start: number): void;
  /** Between places in wasm memory, after all recorded commands. */
  copy(from: number, to: number, bytes: number): void;
  /** Into wasm memory, after all recorded commands. */
  write(start: number, values: Float32Array | Int32Array): void;
  /** Registers a kernel for the wasm backend, in place of a kernel of that name. */
  register(kernelName: string, kernel: Kernel): void;
}
