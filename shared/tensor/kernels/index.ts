/**
 * The exports of the wasm module: AssemblyScript kernels on tfjs's own memory. Offsets are in bytes, sizes in elements. The
 * kernels have no runtime, no heap and no data segment, because these would overwrite tfjs's memory. Therefore Mathf and classes
 * cannot be used.
 *
 * gemm/ multiplies matrices, attention/ uses gemm/, pointwise/ processes rows in one pass, optimizers.ts updates parameters.
 * `npm run types` generates the TypeScript contract from these exports (scripts/build/kernel-contract.ts). A function without a
 * result is a command and may be deferred. @query marks a function that reads nothing that commands write.
 */
export { matMul, matMulBytes } from "./gemm/matmul";
export { peak } from "./gemm/peak";
export { setStrassen } from "./gemm/strassen";
export { workspaceBytes, workspaceStart } from "./gemm/layout";
export { addInPlace } from "./pointwise/accumulate";
export { attention, attentionBytes } from "./attention/attention";
export { attentionBackward, attentionBackwardBytes } from "./attention/attention-backward";
export { decodeBlock, decodeBytes, decodeHead, decodeRowBytes } from "./decode/block";
export { pagePositions } from "./decode/attend";
export { packedBytes, packWeights } from "./decode/quantised-product";
export { crossEntropy, crossEntropyBackward, crossEntropyInPlace, liveLabels } from "./pointwise/cross-entropy";
export { firstOutside, gatherRows, scatterAddRows } from "./pointwise/embedding";
export {
  normedAttention, normedAttentionBackward, normedAttentionBackwardBytes, normedAttentionBytes,
} from "./attention/normed-attention";
export { fusedProjection, fusedProjectionBytes, fusedWeightGrads, fusedWeightGradsBytes } from "./gemm/fused-projection";
export { rmsNorm, rmsNormBackward } from "./pointwise/rms-norm";
export { rotary } from "./attention/rotary";
export { swiglu, swigluBackward } from "./pointwise/swiglu";
export { adamUpdate, muonBytes, muonUpdate, nesterovUpdate, scaleInPlace, sumOfSquares } from "./optimizers";
