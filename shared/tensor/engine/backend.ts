/**
 * Starts tfjs's wasm backend, in workerd and in Node. Other files of this folder provide parts; only this file starts the
 * backend.
 *
 * tfjs compiles its wasm from bytes, but workerd forbids that during a request (tensorflow/tfjs#8157). Here the module is
 * imported in compiled form, and `instantiateWasm` passes it to the Emscripten factory.
 */
import * as tf from "@tensorflow/tfjs-core";
import { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import "@tensorflow/tfjs-core/dist/register_all_gradients";
import "@tensorflow/tfjs-backend-wasm/dist/register_all_kernels";
import wasmFactory from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js";
import wasmModule from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm";
import { alignHeap } from "./aligned-heap.ts";
import { exactGrowth } from "./exact-growth.ts";
import { instantiateKernels, reserveWorkspace } from "./kernel-instance.ts";
import kernelModule from "./kernel-module.ts";
import { ALL, type Optimisations } from "./optimisations.ts";
import type { WasmRuntime } from "./wasm-runtime.ts";
import { registerKernels, registerSegmentSum, type Registration } from "../registered/all.ts";

type Factory = (options: {
  instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void): object;
}) => Promise<WasmRuntime>;

let starting: Promise<void> | null = null;
let shared: WebAssembly.Memory | null = null;
/** Registers a build of the kernels on the running backend; null before the start. */
let register: ((module: WebAssembly.Module, optimisations: Optimisations) => void) | null = null;

/** Starts the backend once per isolate. Later calls return the same promise. */
export function startBackend(): Promise<void> {
  starting ??= start(registerKernels, alignHeap);
  return starting;
}

/** Starts tfjs's own kernels, plus the missing gradient of `gather`. Benches compare our kernels with these. */
export function startStockBackend(): Promise<void> {
  starting ??= start(registerSegmentSum, () => undefined);
  return starting;
}

/** The size of the wasm memory in bytes. It never shrinks. */
export function wasmBytes(): number {
  return shared?.buffer.byteLength ?? 0;
}

/** Registers another build of the kernels, or switches optimisations off. Tests run on every build; benches compare builds. */
export async function useKernels(module: WebAssembly.Module, optimisations: Partial<Optimisations> = {}): Promise<void> {
  await startBackend();
  register!(module, { ...ALL, ...optimisations });
}

async function start(registerAll: Registration, prepare: (runtime: WasmRuntime) => void): Promise<void> {
  let memory: WebAssembly.Memory | undefined;
  const runtime = await withoutProcess(() =>
    (wasmFactory as unknown as Factory)({
      instantiateWasm(imports, done) {
        const exact = exactGrowth(imports);
        const instance = new WebAssembly.Instance(wasmModule, exact.imports);
        memory = Object.values(instance.exports).find((item) => item instanceof WebAssembly.Memory);
        if (memory !== undefined) exact.bind(memory);
        done(instance);
        return instance.exports;
      },
    }),
  );
  if (memory === undefined) throw new Error("startBackend: expected the tfjs wasm module to export its memory, found none");
  reserveWorkspace(runtime, instantiateKernels(memory, kernelModule));
  prepare(runtime);
  // The six functions that the package's own `init` sets up.
  runtime.tfjs = {
    init: runtime.cwrap("init", null, []),
    initWithThreadsCount: runtime.cwrap("init_with_threads_count", null, ["number"]),
    getThreadsCount: runtime.cwrap("get_threads_count", "number", []),
    registerTensor: runtime.cwrap("register_tensor", null, ["number", "number", "number"]),
    disposeData: runtime.cwrap("dispose_data", null, ["number"]),
    dispose: runtime.cwrap("dispose", null, []),
  };
  const backend = new BackendWasm(runtime as never);
  if (tf.findBackend("wasm") === null) tf.registerBackend("wasm", () => backend, 2);
  if (!(await tf.setBackend("wasm"))) throw new Error("startBackend: expected tfjs to accept the wasm backend, got a refusal");
  const own = memory;
  shared = own;
  register = (module, optimisations) => registerAll({ backend, runtime, memory: own }, module, optimisations);
  register(kernelModule, ALL);
}

/** Hides `process` from the factory. The factory would otherwise detect Node and read files. */
function withoutProcess<T>(body: () => T): T {
  const scope = globalThis as { process?: unknown };
  const hidden = scope.process;
  try {
    scope.process = undefined;
    return body();
  } finally {
    scope.process = hidden;
  }
}
