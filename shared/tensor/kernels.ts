/**
 * Kernels registered with tfjs's wasm backend beside its own: AssemblyScript code (kernels/) that works in place on
 * tfjs's memory. Each part of `registered/` turns exports of that module into tfjs kernels.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import type { WasmRuntime } from "./backend.ts";
import { allocate, createScratch, replaceKernel, type KernelContext, type KernelExports } from "./kernel-context.ts";
import { registerAttention } from "./registered/attention.ts";
import { registerCrossEntropy } from "./registered/cross-entropy.ts";
import { registerEmbedding } from "./registered/embedding.ts";
import { registerIdentity } from "./registered/identity.ts";
import { registerMatMul } from "./registered/matmul.ts";
import { registerRmsNorm } from "./registered/rms-norm.ts";
import { registerRotary } from "./registered/rotary.ts";
import { registerSwiglu } from "./registered/swiglu.ts";

/** Registers everything for the wasm backend; a second call with another build replaces the first one's. */
export function registerKernels(backend: BackendWasm, runtime: WasmRuntime, memory: WebAssembly.Memory, module: WebAssembly.Module): void {
  const instance = new WebAssembly.Instance(module, { env: { memory, abort: () => undefined } });
  const context: KernelContext = {
    backend,
    kernels: instance.exports as unknown as KernelExports,
    offset: (info: tf.TensorInfo) => backend.getMemoryOffset(info.dataId as never),
    scratch: createScratch(runtime),
    allocate: (bytes) => allocate(runtime, bytes),
    free: (start) => runtime._free(start),
    // The view is made anew: memory that has grown has another buffer.
    write: (start, values) => new Float32Array(memory.buffer, start, values.length).set(values),
    register: replaceKernel,
  };
  registerIdentity(context);
  registerMatMul(context);
  registerEmbedding(context);
  registerAttention(context);
  registerRmsNorm(context);
  registerRotary(context);
  registerSwiglu(context);
  registerCrossEntropy(context);
}
