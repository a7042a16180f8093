/**
 * Kernels registered with tfjs's wasm backend beside its own: AssemblyScript code (kernels/) that works in place on
 * tfjs's memory. Each part of `registered/` turns exports of that module into tfjs kernels.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import type { WasmRuntime } from "./backend.ts";
import { Address, useHeap } from "./buffer.ts";
import { allocate, createScratch, instantiateKernels, replaceKernel, type Kernel, type KernelContext } from "./kernel-context.ts";
import { registerAccumulate } from "../registered/accumulate.ts";
import { registerAttention } from "../registered/attention.ts";
import { registerCrossEntropy } from "../registered/cross-entropy.ts";
import { registerEmbedding, registerUnsortedSegmentSum } from "../registered/embedding.ts";
import { registerIdentity } from "../registered/identity.ts";
import { registerMatMul } from "../registered/matmul.ts";
import { registerNormedAttention } from "../registered/normed-attention.ts";
import { registerOptimizers } from "../registered/optimizers.ts";
import { registerRmsNorm } from "../registered/rms-norm.ts";
import { registerRotary } from "../registered/rotary.ts";
import { rotaryTables } from "../registered/rotary-tables.ts";
import { registerFusedProjection } from "../registered/fused-projection.ts";
import { registerSwiglu } from "../registered/swiglu.ts";
import { createCommandBuffer } from "./command-buffer.ts";

type Registration = (backend: BackendWasm, runtime: WasmRuntime, memory: WebAssembly.Memory, module: WebAssembly.Module) => void;

/** What a runtime frees with, without what each registration puts before it. */
const ownFree = new WeakMap<WasmRuntime, WasmRuntime["_free"]>();

/** Registers everything for the wasm backend; a second call with another build replaces the first one's. */
export const registerKernels: Registration = (backend, runtime, memory, module) => {
  const registered = new Map<string, Kernel>();
  const context = createContext(registered, backend, runtime, memory, module);
  registerIdentity(context);
  registerAccumulate(context);
  registerMatMul(context);
  registerFusedProjection(context);
  registerEmbedding(context);
  registerUnsortedSegmentSum(context);
  registerAttention(context);
  registerRmsNorm(context);
  const tableFor = rotaryTables(context);
  registerRotary(context, tableFor);
  registerNormedAttention(context, tableFor);
  registerSwiglu(context);
  registerCrossEntropy(context);
  registerOptimizers(context);
  useHeap(context, registered);
};

/** Registers only what the stock backend lacks. */
export const registerSegmentSum: Registration = (backend, runtime, memory, module) =>
  registerUnsortedSegmentSum(createContext(new Map(), backend, runtime, memory, module));

function createContext(registered: Map<string, Kernel>, ...[backend, runtime, memory, module]: Parameters<Registration>): KernelContext {
  const commands = createCommandBuffer(instantiateKernels(memory, module));
  const take = (bytes: number) => allocate(runtime, bytes);
  const free = ownFree.get(runtime) ?? runtime._free.bind(runtime);
  ownFree.set(runtime, free);
  // The allocator writes to what is free, which commands that wait may yet read, be it tfjs's or ours.
  runtime._free = (start) => {
    commands.flush();
    free(start);
  };
  const giveBack = (start: number) => runtime._free(start);
  const output = (shape: number[]) => backend.makeOutput(shape, "float32");
  const offset = ({ dataId }: tf.TensorInfo) => (dataId instanceof Address ? dataId.offset : backend.getMemoryOffset(dataId as never));
  // Views are made anew: memory that has grown has another buffer.
  const floats = (info: tf.TensorInfo) => {
    commands.flush();
    return new Float32Array(memory.buffer, offset(info), tf.util.sizeFromShape(info.shape));
  };
  const integers = (info: tf.TensorInfo) => new Int32Array(memory.buffer, offset(info), tf.util.sizeFromShape(info.shape));
  return {
    backend,
    kernels: commands.kernels,
    commands,
    offset,
    floats,
    integers,
    scratch: createScratch(take, giveBack),
    allocate: take,
    free: giveBack,
    copy(from, to, bytes) {
      commands.flush();
      new Uint8Array(memory.buffer).copyWithin(to, from, from + bytes);
    },
    write(start, { buffer, byteOffset, byteLength }) {
      // The place may be one that commands which wait still read.
      commands.flush();
      new Uint8Array(memory.buffer, start).set(new Uint8Array(buffer, byteOffset, byteLength));
    },
    register(kernelName, kernel) {
      registered.set(kernelName, kernel);
      // tfjs's own kernels read what this one writes, and do not wait.
      replaceKernel(kernelName, ({ inputs, attrs }) =>
        commands.immediately(() => kernel({ inputs: inputs as Record<string, tf.TensorInfo>, attrs, output })),
      );
    },
  };
}
