/**
 * Replaces tfjs-core in the bundle with the parts in use: its tensors, without its operations. The index of the package would add
 * optimizers, model formats and all operations. The build fails if a name is missing here.
 */
import "@tensorflow/tfjs-core/dist/flags";

export { KernelBackend } from "@tensorflow/tfjs-core/dist/backends/backend";
export { backend, dispose, engine, registerBackend, setBackend } from "@tensorflow/tfjs-core/dist/globals";
export { getKernel, registerKernel, unregisterKernel } from "@tensorflow/tfjs-core/dist/kernel_registry";
export { fill } from "@tensorflow/tfjs-core/dist/ops/fill";
export * as util from "@tensorflow/tfjs-core/dist/util";
