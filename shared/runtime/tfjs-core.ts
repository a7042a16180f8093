/**
 * Replaces tfjs-core in the bundle with the parts in use. The index of the package would add optimizers, model formats and all
 * operations. The build fails if a name is missing here.
 */
import "@tensorflow/tfjs-core/dist/flags";

export { KernelBackend } from "@tensorflow/tfjs-core/dist/backends/backend";
export { customGrad } from "@tensorflow/tfjs-core/dist/gradients";
export { backend, dispose, engine, getBackend, keep, registerBackend, setBackend, tidy } from "@tensorflow/tfjs-core/dist/globals";
export { env } from "@tensorflow/tfjs-core/dist/environment";
export { getKernel, registerKernel, unregisterKernel } from "@tensorflow/tfjs-core/dist/kernel_registry";
export { add } from "@tensorflow/tfjs-core/dist/ops/add";
export { concat4d } from "@tensorflow/tfjs-core/dist/ops/concat_4d";
export { exp } from "@tensorflow/tfjs-core/dist/ops/exp";
export { fill } from "@tensorflow/tfjs-core/dist/ops/fill";
export { gather } from "@tensorflow/tfjs-core/dist/ops/gather";
export { logSumExp } from "@tensorflow/tfjs-core/dist/ops/log_sum_exp";
export { matMul } from "@tensorflow/tfjs-core/dist/ops/mat_mul";
export { mean } from "@tensorflow/tfjs-core/dist/ops/mean";
export { mul } from "@tensorflow/tfjs-core/dist/ops/mul";
export { reshape } from "@tensorflow/tfjs-core/dist/ops/reshape";
export { rsqrt } from "@tensorflow/tfjs-core/dist/ops/rsqrt";
export { scatterND } from "@tensorflow/tfjs-core/dist/ops/scatter_nd";
export { sigmoid } from "@tensorflow/tfjs-core/dist/ops/sigmoid";
export { slice } from "@tensorflow/tfjs-core/dist/ops/slice";
export { softmax } from "@tensorflow/tfjs-core/dist/ops/softmax";
export { split } from "@tensorflow/tfjs-core/dist/ops/split";
export { square } from "@tensorflow/tfjs-core/dist/ops/square";
export { sub } from "@tensorflow/tfjs-core/dist/ops/sub";
export { sum } from "@tensorflow/tfjs-core/dist/ops/sum";
export { tensor1d } from "@tensorflow/tfjs-core/dist/ops/tensor1d";
export { tensor2d } from "@tensorflow/tfjs-core/dist/ops/tensor2d";
export { tensor4d } from "@tensorflow/tfjs-core/dist/ops/tensor4d";
export { tile } from "@tensorflow/tfjs-core/dist/ops/tile";
export { transpose } from "@tensorflow/tfjs-core/dist/ops/transpose";
export * as util from "@tensorflow/tfjs-core/dist/util";
