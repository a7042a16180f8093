/**
 * AssemblyScript kernels on tfjs's own memory: the list of what the wasm module exports. Offsets are bytes, sizes are
 * elements. No runtime, no heap, no data segments (they would overwrite tfjs's memory), so no Mathf and no classes.
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
