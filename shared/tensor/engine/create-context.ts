/** Creates the context that all registrations use. It connects tfjs's backend and memory with the compiled kernels. */
import * as tf from "@tensorflow/tfjs-core";
import { Address } from "./buffer.ts";
import { createCommandBuffer } from "./command-buffer.ts";
import type { Kernel, KernelContext, TensorBackend } from "./kernel-context.ts";
import { instantiateKernels } from "./kernel-instance.ts";
import type { Optimisations } from "./optimisations.ts";
import { allocate, pointer, type Pointer, type WasmRuntime } from "./wasm-runtime.ts";

type Allocator = Pick<WasmRuntime, "_malloc" | "_free">;

/** The parts of a running backend. */
export interface Engine {
  backend: TensorBackend;
  runtime: Allocator;
  memory: WebAssembly.Memory;
}

/** The original free() of each runtime. Contexts wrap it with a flush. */
const ownFree = new WeakMap<Allocator, Allocator["_free"]>();

/** Creates the context. `register` also adds each kernel to `registered`, by name. */
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
  // The allocator writes into freed blocks. Recorded commands may still read such a block, so all recorded commands run first.
  runtime._free = (start) => {
    commands.flush();
    free(start);
  };
  const giveBack = (start: number) => runtime._free(start);
  const output = (shape: number[]) => backend.makeOutput(shape, "float32");
  const offset = ({ dataId }: tf.TensorInfo) => (dataId instanceof Address ? dataId.offset : pointer(backend.getMemoryOffset(dataId)));
  // Each call makes a new view, because growing the memory replaces its ArrayBuffer.
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
      // Recorded commands may still read the old values at `start`, so all recorded commands run first.
      commands.flush();
      new Uint8Array(memory.buffer, start).set(new Uint8Array(buffer, byteOffset, byteLength));
    },
    register(kernelName, kernel) {
      registered.set(kernelName, kernel);
      // tfjs's own kernels run at once and may read the output of this kernel, so its commands are not deferred.
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

/** A reusable block of wasm memory for packing, which grows on demand. It saves a malloc per call. */
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
