/** The context of all registrations: tfjs's backend and memory on one side, the compiled kernels on the other. */
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm/dist/backend_wasm";
import { Address } from "./buffer.ts";
import { createCommandBuffer } from "./command-buffer.ts";
import type { Kernel, KernelContext } from "./kernel-context.ts";
import { instantiateKernels } from "./kernel-instance.ts";
import type { Optimisations } from "./optimisations.ts";
import { allocate, pointer, type Pointer, type WasmRuntime } from "./wasm-runtime.ts";

/** What registrations are made on. */
export interface Engine {
  backend: BackendWasm;
  runtime: WasmRuntime;
  memory: WebAssembly.Memory;
}

/** The free() of a runtime without the flush that each context puts before it. */
const ownFree = new WeakMap<WasmRuntime, WasmRuntime["_free"]>();

/** `registered` gets each kernel that is registered, by name. */
export function createContext(
  { backend, runtime, memory }: Engine,
  module: WebAssembly.Module,
  registered: Map<string, Kernel>,
  optimisations: Optimisations,
): KernelContext {
  const exports = instantiateKernels(memory, module);
  exports.setStrassen(optimisations.strassen);
  const commands = createCommandBuffer(exports, optimisations.commandBuffer);
  const take = (bytes: number) => allocate(runtime, bytes);
  const free = ownFree.get(runtime) ?? runtime._free.bind(runtime);
  ownFree.set(runtime, free);
  // The allocator writes to free blocks, which recorded commands may have yet to read, be they tfjs's blocks or ours.
  runtime._free = (start) => {
    commands.flush();
    free(start);
  };
  const giveBack = (start: number) => runtime._free(start);
  const output = (shape: number[]) => backend.makeOutput(shape, "float32");
  const offset = ({ dataId }: tf.TensorInfo) =>
    dataId instanceof Address ? dataId.offset : pointer(backend.getMemoryOffset(dataId as never));
  // Views are made anew: memory that has grown has another ArrayBuffer.
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
      // Recorded commands may have yet to read that place.
      commands.flush();
      new Uint8Array(memory.buffer, start).set(new Uint8Array(buffer, byteOffset, byteLength));
    },
    register(kernelName, kernel) {
      registered.set(kernelName, kernel);
      // tfjs's own kernels run at once and read what this one writes.
      replaceKernel(kernelName, ({ inputs, attrs }) =>
        commands.immediately(() => kernel({ inputs: inputs as Record<string, tf.TensorInfo>, attrs, output })),
      );
    },
  };
}

function replaceKernel(kernelName: string, kernelFunc: tf.KernelFunc): void {
  if (tf.getKernel(kernelName, "wasm") !== undefined) tf.unregisterKernel(kernelName, "wasm");
  tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
}

/** One growing block of wasm memory for packing, instead of a malloc per call. */
function createScratch(allocateBytes: (bytes: number) => Pointer, free: (start: Pointer) => void): (bytes: number) => Pointer {
  let size = 0;
  let start = pointer(0);
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
