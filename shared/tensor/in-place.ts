/**
 * The operations of the explicit backward pass (model/backward/) on buffers. Many write over an operand, so that an activation's
 * memory becomes its gradient's. An operand that is written over must not share its numbers with a buffer that is still needed.
 * Only where the kernels are registered (`isFused` in ops.ts). Axis letters as in ops.ts.
 */
import type * as tf from "@tensorflow/tfjs-core";
import { dispose, run, type HeapBuffer } from "./engine/buffer.ts";

/** A buffer, or a tensor such as a weight. */
type Operand = tf.TensorInfo;

/** Two or three operands, and as many buffers. */
type Operands = readonly [Operand, Operand, Operand?];
type BufferEach<Each extends Operands> = { [Index in keyof Each]: HeapBuffer };
/** x and the operands as inputs of a kernel. */
const beside = (x: Operand, [a, b, c]: Operands): Record<string, Operand> => (c === undefined ? { x, a, b } : { x, a, b, c });

/** Which matrices a product reads transposed. */
const FORWARD = { transposeA: false, transposeB: true };
const BACK = { transposeA: false, transposeB: false };
const TO_WEIGHT = { transposeA: true, transposeB: false };

/** x [N, C], weight [O, C] -> x weight^T [N, O] */
export const linear = (x: Operand, weight: Operand) => run<HeapBuffer>("BatchMatMul", { a: x, b: weight }, FORWARD);
/** x [N, C], two or three weights [O, C] -> x weight^T [N, O] each */
export const fusedLinear = <Weights extends Operands>(x: Operand, weights: Weights) =>
  run<BufferEach<Weights>>("FusedProjection", beside(x, weights));
/** addend [N, O], x [N, C], weight [O, C] -> addend + x weight^T [N, O] */
export const linearAdd = (addend: Operand, x: Operand, weight: Operand) =>
  run<HeapBuffer>("MatMulAdd", { a: x, b: weight, addend }, FORWARD);
/** dy [N, O], weight [O, C] -> the gradient of x [N, C], written to `into` where that is given */
export const linearInputGrad = (dy: Operand, weight: Operand, into?: HeapBuffer) =>
  run<HeapBuffer>("BatchMatMul", { a: dy, b: weight }, BACK, into);
/** dx [N, C] += the gradient of x from dy [N, O] and weight [O, C] */
export const linearInputGradAccumulate = (dx: HeapBuffer, dy: Operand, weight: Operand) =>
  run("MatMulAddInPlace", { a: dy, b: weight, addend: dx }, BACK);
/** dy [N, O], x [N, C] -> the gradient of the weight [O, C] */
export const linearWeightGrad = (dy: Operand, x: Operand) => run<HeapBuffer>("BatchMatMul", { a: dy, b: x }, TO_WEIGHT);

/**
 * Two or three dy [N, O], x [N, C], the weight [C] and inverse rms [N] of its norm -> the gradients [O, C] of the weights that
 * norm(x) was multiplied with. norm(x) is not computed again.
 */
export const fusedWeightGrads = <Gradients extends Operands>(dys: Gradients, x: Operand, weight: Operand, inverse: Operand) =>
  run<BufferEach<Gradients>>("FusedWeightGrads", { ...beside(x, dys), weight, inverse });

/** target += x. x is freed. */
export function addTo(target: Operand, x: HeapBuffer | tf.Tensor): void {
  run("AddInPlace", { target, x });
  x.dispose();
}

/** x [N, C], weight [C] -> normed [N, C], and the inverse rms [N] that the gradient needs */
export function norm(x: Operand, weight: Operand, epsilon: number): { normed: HeapBuffer; inverse: HeapBuffer } {
  const [normed, inverse] = run<[HeapBuffer, HeapBuffer]>("RmsNorm", { x, weight }, { epsilon });
  return { normed, inverse };
}

/** dy becomes dx -> the gradient of the weight [C]. `inverse` is freed. */
export function normBack(x: Operand, weight: Operand, inverse: HeapBuffer, dy: HeapBuffer): HeapBuffer {
  const dweight = run<HeapBuffer>("RmsNormGradInPlace", { x, weight, inverse, dy });
  inverse.dispose();
  return dweight;
}

/** target += dx -> the gradient of the weight [C]. `inverse` and dy are freed. */
export function normBackInto(target: HeapBuffer, x: Operand, weight: Operand, inverse: HeapBuffer, dy: HeapBuffer): HeapBuffer {
  const dweight = run<HeapBuffer>("RmsNormGradInPlace", { x, weight, inverse, dy, target });
  dispose(inverse, dy);
  return dweight;
}

/** q [N, H D], k, v [N, K D], and the weights of the heads' norms [D] */
export type AttentionOperands = Record<"q" | "k" | "v" | "qWeight" | "kWeight", Operand>;
export type AttentionAttributes = Record<"batch" | "epsilon" | "theta", number>;

/** -> the values mixed by attention [N, H D], and the statistics of the scores that the gradient needs [N, H, 2] */
export function attend(operands: AttentionOperands, attributes: AttentionAttributes): { mixed: HeapBuffer; statistics: HeapBuffer } {
  const [mixed, statistics] = run<[HeapBuffer, HeapBuffer]>("NormedAttention", operands, attributes);
  return { mixed, statistics };
}

/** q, k and v become their gradients -> the gradients of the weights [D]. `out` and statistics come from `attend`. */
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

/** gate and up become their gradients; dy becomes silu(gate) up [N, F] once more. */
export function gatedBack(gate: HeapBuffer, up: HeapBuffer, dy: HeapBuffer): void {
  run("SwigluGradInPlace", { gate, up, dy });
}

/** Targets of rows: labels int32 [N], -1 is ignored, and weights [N], which are 1 where none are given. */
export interface RowTargets {
  labels: Operand;
  rowWeights?: Operand | undefined;
}

/** logits [N, V] become scale times the gradient of their weighted losses; total [1] += scale times the sum of the weighted losses. */
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
