/**
 * What an explicit backward pass (model/gradients.ts) is made of: the kernels of the decoder's operations on heap arrays,
 * many of them writing over an operand, so that each activation lives until its gradient is there and no longer.
 * Only where the kernels are registered (`isFused` in ops.ts). An array that is written over must share its numbers with no
 * other that is still needed. Axis letters as in ops.ts.
 */
import type * as tf from "@tensorflow/tfjs-core";
import { dispose, run, type HeapBuffer } from "./engine/buffer.ts";

/** An array, or a tensor such as a weight. */
type Operand = tf.TensorInfo;

/** Several of them, and as many arrays. */
type Operands = readonly [Operand, Operand, Operand?];
type ArrayEach<Each extends Operands> = { [Index in keyof Each]: HeapBuffer };
/** x and the others as inputs of a kernel. */
const beside = (x: Operand, [a, b, c]: Operands): Record<string, Operand> => (c === undefined ? { x, a, b } : { x, a, b, c });

/** How a product reads its matrices: as they lie or transposed. */
const FORWARD = { transposeA: false, transposeB: true };
const BACK = { transposeA: false, transposeB: false };
const TO_WEIGHT = { transposeA: true, transposeB: false };

/** x [N, C], weight [O, C] -> x weight^T [N, O] */
export const linear = (x: Operand, weight: Operand) => run<HeapBuffer>("BatchMatMul", { a: x, b: weight }, FORWARD);
/** x [N, C], two or three weights [O, C] -> x weight^T [N, O] each */
export const fusedLinear = <Weights extends Operands>(x: Operand, weights: Weights) =>
  run<ArrayEach<Weights>>("FusedProjection", beside(x, weights));
/** The same added to `addend` [N, O], which stays. */
export const linearAdd = (addend: Operand, x: Operand, weight: Operand) =>
  run<HeapBuffer>("MatMulAdd", { a: x, b: weight, addend }, FORWARD);
/** dy [N, O], weight [O, C] -> the gradient of x [N, C], in `into` where it is given */
export const linearInputGrad = (dy: Operand, weight: Operand, into?: HeapBuffer) =>
  run<HeapBuffer>("BatchMatMul", { a: dy, b: weight }, BACK, into);
/** The same added to dx [N, C]. */
export const linearInputGradAccumulate = (dx: HeapBuffer, dy: Operand, weight: Operand) =>
  run("MatMulAddInPlace", { a: dy, b: weight, addend: dx }, BACK);
/** dy [N, O], x [N, C] -> the gradient of the weight [O, C] */
export const linearWeightGrad = (dy: Operand, x: Operand) => run<HeapBuffer>("BatchMatMul", { a: dy, b: x }, TO_WEIGHT);

/**
 * Two or three dy [N, O], x [N, C], and the weight [C] and inverse rms [N] of its norm -> the gradients of the weights [O, C]
 * that the norm of x was multiplied with
 */
export const fusedWeightGrads = <Gradients extends Operands>(dys: Gradients, x: Operand, weight: Operand, inverse: Operand) =>
  run<ArrayEach<Gradients>>("FusedWeightGrads", { ...beside(x, dys), weight, inverse });

/** target += x; x is gone. */
export function addTo(target: Operand, x: HeapBuffer | tf.Tensor): void {
  run("AddInPlace", { target, x });
  x.dispose();
}

/** x [N, C], weight [C] -> [N, C], each row divided by its rms, and the inverse rms [N] that the gradient needs */
export function norm(x: Operand, weight: Operand, epsilon: number): { normed: HeapBuffer; inverse: HeapBuffer } {
  const [normed, inverse] = run<[HeapBuffer, HeapBuffer]>("RmsNorm", { x, weight }, { epsilon });
  return { normed, inverse };
}

/** dy becomes dx -> the gradient of the weight [C]; `inverse` is gone. */
export function normBack(x: Operand, weight: Operand, inverse: HeapBuffer, dy: HeapBuffer): HeapBuffer {
  const dweight = run<HeapBuffer>("RmsNormGradInPlace", { x, weight, inverse, dy });
  inverse.dispose();
  return dweight;
}

/** target += dx -> the gradient of the weight [C]; `inverse` and dy are gone. */
export function normBackInto(target: HeapBuffer, x: Operand, weight: Operand, inverse: HeapBuffer, dy: HeapBuffer): HeapBuffer {
  const dweight = run<HeapBuffer>("RmsNormGradInPlace", { x, weight, inverse, dy, target });
  dispose(inverse, dy);
  return dweight;
}

/** What attention takes: q [N, H D], k, v [N, K D], and the weights of the norms of heads [D]. */
export type AttentionOperands = Record<"q" | "k" | "v" | "qWeight" | "kWeight", Operand>;
export type AttentionAttributes = Record<"batch" | "epsilon" | "theta", number>;

/** -> what queries gather [N, H D], and what the gradient needs of the scores [N, H, 2] */
export function attend(operands: AttentionOperands, attributes: AttentionAttributes): { mixed: HeapBuffer; statistics: HeapBuffer } {
  const [mixed, statistics] = run<[HeapBuffer, HeapBuffer]>("NormedAttention", operands, attributes);
  return { mixed, statistics };
}

/** q, k and v become their gradients -> those of the weights [D]; `out` and statistics are what `attend` gave. */
export function attendBack(
  operands: AttentionOperands & Record<"out" | "statistics" | "dy", Operand>,
  attributes: AttentionAttributes,
): { dqWeight: HeapBuffer; dkWeight: HeapBuffer } {
  const [dqWeight, dkWeight] = run<[HeapBuffer, HeapBuffer]>("NormedAttentionGradInPlace", operands, attributes);
  return { dqWeight, dkWeight };
}

/** gate, up [N, F] -> silu(gate) up [N, F] */
export function gated(gate: Operand, up: Operand): HeapBuffer {
  return run<HeapBuffer>("Swiglu", { gate, up });
}

/** gate and up become their gradients, dy becomes silu(gate) up [N, F] once more. */
export function gatedBack(gate: HeapBuffer, up: HeapBuffer, dy: HeapBuffer): void {
  run("SwigluGradInPlace", { gate, up, dy });
}

/** What cross-entropy compares rows with: labels int32 [N], of which -1 is ignored, and each row's weight [N]; none: all 1. */
export interface RowTargets {
  labels: Operand;
  rowWeights?: Operand | undefined;
}

/** logits [N, V] become scale times the gradient of their weighted losses, whose sum times scale is added to total [1]. */
export function lossBack(logits: HeapBuffer, { labels, rowWeights }: RowTargets, total: HeapBuffer, scale: number): void {
  run("CrossEntropyInPlace", { logits, labels, total, ...(rowWeights === undefined ? {} : { rowWeights }) }, { scale });
}

/** weight [V, C], ids int32 [N] -> its rows at ids [N, C] */
export function gatherRows(weight: Operand, ids: Operand): HeapBuffer {
  return run<HeapBuffer>("Embedding", { weight, ids });
}

/** dy [N, C], ids int32 [N] -> the gradient of the embedding [rows, C] */
export function scatterAddRows(dy: Operand, ids: Operand, rows: number): HeapBuffer {
  return run<HeapBuffer>("EmbeddingGrad", { dy, ids }, { rows });
}
