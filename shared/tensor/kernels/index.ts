/**
 * AssemblyScript kernels on tfjs's own memory: the list of what the wasm module exports. Offsets are bytes, sizes are
 * elements. No runtime, no heap, no data segments (they would overwrite tfjs's memory), so no Mathf and no classes.
 */
export { matMul, matMulBytes } from "./matmul";
export { peak } from "./peak";
export { stripBytes, stripStart } from "./tile";
export { addInPlace } from "./accumulate";
export { attention, attentionBytes } from "./attention";
export { attentionBackward, attentionBackwardBytes } from "./attention-backward";
export { crossEntropy, crossEntropyBackward, crossEntropyInPlace, liveLabels } from "./cross-entropy";
export { firstOutside, gatherRows, scatterAddRows } from "./embedding";
export {
  normedAttention, normedAttentionBackward, normedAttentionBackwardBytes, normedAttentionBytes,
} from "./normed-attention";
export { project, projectBytes, weightGradients, weightGradientsBytes } from "./shared-product";
export { rmsNorm, rmsNormBackward } from "./rms-norm";
export { rotary } from "./rotary";
export { swiglu, swigluBackward } from "./swiglu";
export { adamUpdate, muonBytes, muonUpdate, nesterovUpdate, scaleInPlace, sumOfSquares } from "./optimizers";
