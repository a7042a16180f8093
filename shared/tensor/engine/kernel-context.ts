/** What a kernel's registration works with: the backend, the compiled kernels, where tensors lie, scratch memory. */
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import type { WasmRuntime } from "./backend.ts";
import type { CommandBuffer } from "./command-buffer.ts";

/** What kernels/index.ts exports; offsets are bytes in the shared memory, sizes are elements. Signatures stand there. */
export type KernelExports = Record<
  | "matMul"
  | "matMulBytes"
  | "peak"
  | "stripBytes"
  | "stripStart"
  | "addInPlace"
  | "attention"
  | "attentionBackward"
  | "attentionBackwardBytes"
  | "attentionBytes"
  | "crossEntropy"
  | "crossEntropyBackward"
  | "crossEntropyInPlace"
  | "liveLabels"
  | "firstOutside"
  | "gatherRows"
  | "normedAttention"
  | "normedAttentionBackward"
  | "normedAttentionBackwardBytes"
  | "normedAttentionBytes"
  | "scatterAddRows"
  | "project"
  | "projectBytes"
  | "weightGradients"
  | "weightGradientsBytes"
  | "rmsNorm"
  | "rmsNormBackward"
  | "rotary"
  | "swiglu"
  | "swigluBackward"
  | "adamUpdate"
  | "muonBytes"
  | "muonUpdate"
  | "nesterovUpdate"
  | "scaleInPlace"
  | "sumOfSquares",
  (...values: number[]) => number
>;

/** What a kernel gets: where its operands are, its parameters, and where its outputs may go. */
export interface KernelCall {
  inputs: Readonly<Record<string, tf.TensorInfo>>;
  attrs: unknown;
  /** Room for an output of float32. */
  output(shape: number[]): tf.TensorInfo;
}

/** A kernel as tfjs runs it for tensors and heap-array.ts without tfjs. */
export type Kernel = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

export interface KernelContext {
  backend: BackendWasm;
  /** Those of `calls`. */
  kernels: KernelExports;
  commands: CommandBuffer;
  /** Where the numbers of a tensor or of a heap array lie, in bytes. */
  offset(info: tf.TensorInfo): number;
  /** The numbers themselves, until memory grows. */
  floats(info: tf.TensorInfo): Float32Array;
  /** Ids or labels, which no kernel writes. */
  integers(info: tf.TensorInfo): Int32Array;
  /** An offset with room for that many bytes, valid until the next call. */
  scratch(bytes: number): number;
  /** Memory that stays until `free`, for tables; tfjs does not count it as tensors. */
  allocate(bytes: number): number;
  free(offset: number): void;
  /** Both between and into places in wasm memory, after what waits. */
  copy(from: number, to: number, bytes: number): void;
  write(offset: number, values: Float32Array | Int32Array): void;
  /** Registers a kernel for the wasm backend, in place of one of that name. */
  register(kernelName: string, kernel: Kernel): void;
}

export function replaceKernel(kernelName: string, kernelFunc: tf.KernelFunc): void {
  if (tf.getKernel(kernelName, "wasm") !== undefined) tf.unregisterKernel(kernelName, "wasm");
  tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
}

export function allocate(runtime: WasmRuntime, bytes: number): number {
  const start = runtime._malloc(bytes) >>> 0;
  if (start === 0) throw new Error(`allocate: expected ${bytes} bytes of wasm memory, the allocator refused`);
  return start;
}

export function instantiateKernels(memory: WebAssembly.Memory, module: WebAssembly.Module): KernelExports {
  return new WebAssembly.Instance(module, { env: { memory, abort: () => undefined } }).exports as unknown as KernelExports;
}

/**
 * Takes the place at a fixed address that kernels/tile.ts works in out of tfjs's heap. The heap must be untouched: its first
 * block then begins just below, and a block from there reaches over the place.
 */
export function reserveStrip(runtime: WasmRuntime, { stripBytes, stripStart }: KernelExports): void {
  const heap = allocate(runtime, 1);
  runtime._free(heap);
  const [first, end] = [stripStart(), stripStart() + stripBytes()];
  const bytes = Math.max(1, end - heap);
  const block = heap < first ? allocate(runtime, bytes) : heap;
  if (block > first || block + bytes < end)
    throw new Error(
      `kernels: expected the heap of tfjs to begin below ${first}, it begins at ${block}; a block of ${bytes} bytes from there does not hold the strip up to ${end}; move STRIP in kernels/tile.ts`,
    );
}

/** One growing block of wasm memory for packing, instead of a malloc per call. */
export function createScratch(allocateBytes: (bytes: number) => number, free: (start: number) => void): (bytes: number) => number {
  let size = 0;
  let start = 0;
  return (bytes) => {
    if (bytes > size) {
      if (size > 0) free(start);
      size = 0;
      start = allocateBytes(bytes);
      size = bytes;
    }
    return start;
  };
}
