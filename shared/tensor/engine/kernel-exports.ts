/**
 * What the wasm module exports, written by `npm run types` from shared/tensor/kernels. Do not edit.
 * Pointers are bytes in tfjs's memory, sizes are elements; the kernels' own comments say which.
 */
import type { Pointer } from "./wasm-runtime.ts";

/** A command has no result and may be deferred. An answer runs after the commands before it. A query reads nothing that they write. */
export type KernelKind = "command" | "answer" | "query";

export interface KernelExports {
  // kernels/gemm/matmul.ts
  matMul(
    a: Pointer,
    b: Pointer,
    addend: Pointer,
    out: Pointer,
    batch: number,
    m: number,
    n: number,
    k: number,
    aStep: number,
    aRow: number,
    aCol: number,
    bStep: number,
    bRow: number,
    bCol: number,
    pack: Pointer,
  ): void;
  matMulBytes(m: number, n: number, k: number, aRow: number, bCol: number): number;
  // kernels/gemm/peak.ts
  peak(rounds: number, out: Pointer): number;
  // kernels/gemm/strassen.ts
  setStrassen(isOn: boolean): number;
  // kernels/gemm/layout.ts
  workspaceBytes(): number;
  workspaceStart(): number;
  // kernels/pointwise/accumulate.ts
  addInPlace(target: Pointer, x: Pointer, n: number): void;
  // kernels/attention/attention.ts
  attention(
    q: Pointer,
    k: Pointer,
    v: Pointer,
    out: Pointer,
    statistics: Pointer,
    b: number,
    t: number,
    s: number,
    h: number,
    kv: number,
    d: number,
    scale: number,
    isBounded: boolean,
    work: Pointer,
  ): void;
  attentionBytes(s: number, d: number, group: number): number;
  // kernels/attention/attention-backward.ts
  attentionBackward(
    q: Pointer,
    k: Pointer,
    v: Pointer,
    out: Pointer,
    statistics: Pointer,
    dy: Pointer,
    dq: Pointer,
    dk: Pointer,
    dv: Pointer,
    b: number,
    t: number,
    s: number,
    h: number,
    kv: number,
    d: number,
    scale: number,
    isBounded: boolean,
    work: Pointer,
  ): void;
  attentionBackwardBytes(s: number, d: number): number;
  // kernels/pointwise/cross-entropy.ts
  crossEntropy(logits: Pointer, labels: Pointer, loss: Pointer, normalizer: Pointer, rows: number, vocab: number, live: number): void;
  crossEntropyBackward(
    logits: Pointer,
    labels: Pointer,
    normalizer: Pointer,
    dy: Pointer,
    dlogits: Pointer,
    rows: number,
    vocab: number,
    live: number,
  ): void;
  crossEntropyInPlace(
    logits: Pointer,
    labels: Pointer,
    rowWeights: Pointer,
    total: Pointer,
    rows: number,
    vocab: number,
    scale: number,
  ): void;
  liveLabels(labels: Pointer, rows: number): number;
  // kernels/pointwise/embedding.ts
  firstOutside(values: Pointer, count: number, low: number, high: number): number;
  gatherRows(weight: Pointer, ids: Pointer, out: Pointer, count: number, width: number): void;
  scatterAddRows(values: Pointer, ids: Pointer, out: Pointer, count: number, width: number, rows: number): void;
  // kernels/attention/normed-attention.ts
  normedAttention(
    q: Pointer,
    k: Pointer,
    v: Pointer,
    qWeight: Pointer,
    kWeight: Pointer,
    table: Pointer,
    out: Pointer,
    statistics: Pointer,
    b: number,
    t: number,
    h: number,
    kv: number,
    d: number,
    epsilon: number,
    scale: number,
    work: Pointer,
  ): void;
  normedAttentionBackward(
    q: Pointer,
    k: Pointer,
    v: Pointer,
    qWeight: Pointer,
    kWeight: Pointer,
    table: Pointer,
    out: Pointer,
    statistics: Pointer,
    dy: Pointer,
    dqWeight: Pointer,
    dkWeight: Pointer,
    b: number,
    t: number,
    h: number,
    kv: number,
    d: number,
    epsilon: number,
    scale: number,
    work: Pointer,
  ): void;
  normedAttentionBackwardBytes(t: number, h: number, kv: number, d: number): number;
  normedAttentionBytes(t: number, h: number, kv: number, d: number): number;
  // kernels/gemm/fused-projection.ts
  fusedProjection(
    x: Pointer,
    w0: Pointer,
    w1: Pointer,
    w2: Pointer,
    out0: Pointer,
    out1: Pointer,
    out2: Pointer,
    m: number,
    k: number,
    n0: number,
    n1: number,
    n2: number,
    pack: Pointer,
  ): void;
  fusedProjectionBytes(m: number, k: number, n0: number, n1: number, n2: number): number;
  fusedWeightGrads(
    x: Pointer,
    inverse: Pointer,
    weight: Pointer,
    dy0: Pointer,
    dy1: Pointer,
    dy2: Pointer,
    out0: Pointer,
    out1: Pointer,
    out2: Pointer,
    m: number,
    k: number,
    n0: number,
    n1: number,
    n2: number,
    pack: Pointer,
  ): void;
  fusedWeightGradsBytes(m: number, k: number, n0: number, n1: number, n2: number): number;
  // kernels/pointwise/rms-norm.ts
  rmsNorm(x: Pointer, weight: Pointer, out: Pointer, inverse: Pointer, rows: number, width: number, epsilon: number): void;
  rmsNormBackward(
    x: Pointer,
    weight: Pointer,
    inverse: Pointer,
    dy: Pointer,
    addend: Pointer,
    dx: Pointer,
    dweight: Pointer,
    rows: number,
    width: number,
  ): void;
  // kernels/attention/rotary.ts
  rotary(x: Pointer, out: Pointer, table: Pointer, batch: number, length: number, heads: number, width: number, sign: number): void;
  // kernels/pointwise/swiglu.ts
  swiglu(gate: Pointer, up: Pointer, out: Pointer, size: number): void;
  swigluBackward(gate: Pointer, up: Pointer, dy: Pointer, dgate: Pointer, dup: Pointer, hidden: Pointer, size: number): void;
  // kernels/optimizers.ts
  adamUpdate(
    weight: Pointer,
    m: Pointer,
    v: Pointer,
    gradient: Pointer,
    n: number,
    stepSize: number,
    decay: number,
    beta1: number,
    beta2: number,
    biasCorrection2: number,
    epsilon: number,
  ): void;
  muonBytes(rows: number, columns: number): number;
  muonUpdate(
    weight: Pointer,
    m: Pointer,
    gradient: Pointer,
    rows: number,
    columns: number,
    stepSize: number,
    decay: number,
    mu: number,
    scratch: Pointer,
  ): void;
  nesterovUpdate(weight: Pointer, m: Pointer, gradient: Pointer, n: number, stepSize: number, mu: number): void;
  scaleInPlace(x: Pointer, n: number, factor: number): void;
  sumOfSquares(x: Pointer, n: number): number;
}

export const KERNEL_KINDS: Readonly<Record<keyof KernelExports, KernelKind>> = {
  matMul: "command",
  matMulBytes: "query",
  peak: "answer",
  setStrassen: "answer",
  workspaceBytes: "query",
  workspaceStart: "query",
  addInPlace: "command",
  attention: "command",
  attentionBytes: "query",
  attentionBackward: "command",
  attentionBackwardBytes: "query",
  crossEntropy: "command",
  crossEntropyBackward: "command",
  crossEntropyInPlace: "command",
  liveLabels: "query",
  firstOutside: "query",
  gatherRows: "command",
  scatterAddRows: "command",
  normedAttention: "command",
  normedAttentionBackward: "command",
  normedAttentionBackwardBytes: "query",
  normedAttentionBytes: "query",
  fusedProjection: "command",
  fusedProjectionBytes: "query",
  fusedWeightGrads: "command",
  fusedWeightGradsBytes: "query",
  rmsNorm: "command",
  rmsNormBackward: "command",
  rotary: "command",
  swiglu: "command",
  swigluBackward: "command",
  adamUpdate: "command",
  muonBytes: "query",
  muonUpdate: "command",
  nesterovUpdate: "command",
  scaleInPlace: "command",
  sumOfSquares: "answer",
};
