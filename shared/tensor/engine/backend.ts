/**
 * Starts tfjs's wasm backend, in workerd and in Node alike: the only file that does, on top of everything else in this folder.
 *
 * tfjs compiles its wasm from bytes, which workerd refuses at request time (tensorflow/tfjs#8157). Here the module arrives
 * compiled, as an import, and is handed to the Emscripten factory through `instantiateWasm`.
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
/** Registers a build of the kernels on the running backend. */
let register: ((module: WebAssembly.Module, optimisations: Optimisations) => void) | null = null;

/** Starts the backend once per isolate; later calls return the same promise. */
export function startBackend(): Promise<void> {
  starting ??= start(registerKernels, alignHeap);
  return starting;
}

/** Starts the package's own kernels and adds only the gradient of `gather`, which it lacks: what benches compare with. */
export function startStockBackend(): Promise<void> {
  starting ??= start(registerSegmentSum, () => undefined);
  return starting;
}

/** Bytes of wasm memory that tfjs and the kernels have taken so far. It never shrinks. */
export function wasmBytes(): number {
  return shared?.buffer.byteLength ?? 0;
}

/** Registers another build of the kernels, or without some optimisations: tests run on every build, benches compare them. */
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
  // The six functions that the package's own `init` wraps.
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
  if (!(await tf.setBackend("wasm"))) throw new Error("startBackend: expected tfjs to accept the wasm backend, it refused");
  const own = memory;
  shared = own;
  register = (module, optimisations) => registerAll({ backend, runtime, memory: own }, module, optimisations);
  register(kernelModule, ALL);
}

/** Hides Node from the factory's first lines, which would otherwise read files. */
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
