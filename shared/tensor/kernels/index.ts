/**
 * AssemblyScript kernels on tfjs's own memory: what the wasm module exports. Offsets are bytes, sizes are elements. There is no
 * runtime, no heap and no data segment, which would overwrite tfjs's memory: so no Mathf and no classes.
 *
 * gemm/ multiplies matrices, attention/ is built on it, pointwise/ goes through rows once, optimizers.ts updates parameters.
 * `npm run types` writes the contract for TypeScript from these exports (scripts/build/kernel-contract.ts). A function without a
 * result is a command, which may be deferred; @query marks a function that reads nothing that a command writes.
 */
export { matMul, matMulBytes } from "./gemm/matmul";
export { peak } from "./gemm/peak";
export { setStrassen } from "./gemm/strassen";
export { workspaceBytes, workspaceStart } from "./gemm/layout";
export { addInPlace } from "./pointwise/accumulate";
export { attention, attentionBytes } from "./attention/attention";
export { attentionBackward, attentionBackwardBytes } from "./attention/attention-backward";
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
