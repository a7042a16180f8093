/**
 * The operations of the hand-written backward pass (model/backward/), on buffers. Many overwrite an operand, for example an
 * activation with its gradient. An overwritten operand must not share memory with a buffer that is still needed. These operations
 * need the kernels (`isFused` in ops.ts). Axis letters as in ops.ts.
 */
import type * as tf from "@tensorflow/tfjs-core";
import { dispose, run, type HeapBuffer } from "./engine/buffer.ts";

/** A buffer, or a tensor such as a weight. */
type Operand = tf.TensorInfo;

/** Two or three operands; BufferEach is a buffer for each of them. */
type Operands = readonly [Operand, Operand, Operand?];
type BufferEach<Each extends Operands> = { [Index in keyof Each]: HeapBuffer };
/** The inputs of a kernel by name: x and the other operands. */
const beside = (x: Operand, [a, b, c]: Operands): Record<string, Operand> => (c === undefined ? { x, a, b } : { x, a, b, c });

/** Which operands a product transposes. */
const FORWARD = { transposeA: false, transposeB: true };
const BACK = { transposeA: false, transposeB: false };
const TO_WEIGHT = { transposeA: true, transposeB: false };

/** x [N, C], weight [O, C] -> x weight^T [N, O] */
export const linear = (x: Operand, weight: Operand) => run<HeapBuffer>("BatchMatMul", { a: x, b: weight }, FORWARD);
/** x [N, C], two or three weights [O, C] -> x weight^T [N, O] for each weight */
export const fusedLinear = <Weights extends Operands>(x: Operand, weights: Weights) =>
  run<BufferEach<Weights>>("FusedProjection", beside(x, weights));
/** addend [N, O], x [N, C], weight [O, C] -> addend + x weight^T [N, O] */
export const linearAdd = (addend: Operand, x: Operand, weight: Operand) =>
  run<HeapBuffer>("MatMulAdd", { a: x, b: weight, addend }, FORWARD);
/** dy [N, O], weight [O, C] -> the gradient of x [N, C], written to `into` if given */
export const linearInputGrad = (dy: Operand, weight: Operand, into?: HeapBuffer) =>
  run<HeapBuffer>("BatchMatMul", { a: dy, b: weight }, BACK, into);
/** dx [N, C] += the gradient of x, from dy [N, O] and weight [O, C] */
export const linearInputGradAccumulate = (dx: HeapBuffer, dy: Operand, weight: Operand) =>
  run("MatMulAddInPlace", { a: dy, b: weight, addend: dx }, BACK);
/** dy [N, O], x [N, C] -> the gradient of the weight [O, C] */
export const linearWeightGrad = (dy: Operand, x: Operand) => run<HeapBuffer>("BatchMatMul", { a: dy, b: x }, TO_WEIGHT);

/**
 * The gradients [O, C] of two or three weights that norm(x) was multiplied by. Inputs: a dy [N, O] for each weight, x [N, C],
 * the norm's weight [C] and its inverse rms [N]. Does not compute norm(x) again.
 */
export const fusedWeightGrads = <Gradients extends Operands>(dys: Gradients, x: Operand, weight: Operand, inverse: Operand) =>
  run<BufferEach<Gradients>>("FusedWeightGrads", { ...beside(x, dys), weight, inverse });

/** target += x. Frees x. */
export function addTo(target: Operand, x: HeapBuffer | tf.Tensor): void {
  run("AddInPlace", { target, x });
  x.dispose();
}

/** x [N, C], weight [C] -> norm(x) [N, C], and the inverse rms [N] that the backward pass needs */
export function norm(x: Operand, weight: Operand, epsilon: number): { normed: HeapBuffer; inverse: HeapBuffer } {
  const [normed, inverse] = run<[HeapBuffer, HeapBuffer]>("RmsNorm", { x, weight }, { epsilon });
  return { normed, inverse };
}

/** Replaces dy by dx -> the gradient of the weight [C]. Frees `inverse`. */
export function normBack(x: Operand, weight: Operand, inverse: HeapBuffer, dy: HeapBuffer): HeapBuffer {
  const dweight = run<HeapBuffer>("RmsNormGradInPlace", { x, weight, inverse, dy });
  inverse.dispose();
  return dweight;
}

/** target += dx -> the gradient of the weight [C]. Frees `inverse` and dy. */
export function normBackInto(target: HeapBuffer, x: Operand, weight: Operand, inverse: HeapBuffer, dy: HeapBuffer): HeapBuffer {
  const dweight = run<HeapBuffer>("RmsNormGradInPlace", { x, weight, inverse, dy, target });
  dispose(inverse, dy);
  return dweight;
}

/** q [N, H D], k, v [N, K D], and the weights [D] of the head norms */
export type AttentionOperands = Record<"q" | "k" | "v" | "qWeight" | "kWeight", Operand>;
export type AttentionAttributes = Record<"batch" | "epsilon" | "theta", number>;

/** -> attention output [N, H D], and softmax statistics [N, H, 2] for the backward pass */
export function attend(operands: AttentionOperands, attributes: AttentionAttributes): { mixed: HeapBuffer; statistics: HeapBuffer } {
  const [mixed, statistics] = run<[HeapBuffer, HeapBuffer]>("NormedAttention", operands, attributes);
  return { mixed, statistics };
}

/** Replaces q, k and v by their gradients -> the gradients of the norm weights [D]. `out` and `statistics` come from `attend`. */
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

/** Replaces gate and up by their gradients, and dy by silu(gate) up [N, F]. */
export function gatedBack(gate: HeapBuffer, up: HeapBuffer, dy: HeapBuffer): void {
  run("SwigluGradInPlace", { gate, up, dy });
}

/** The labels int32 [N] of rows, with -1 for ignored rows, and optional row weights [N] (default 1). */
export interface RowTargets {
  labels: Operand;
  rowWeights?: Operand | undefined;
}

/** Replaces logits [N, V] by scale times the gradient of their weighted losses. total [1] += scale times the weighted losses. */
export function lossBack(logits: HeapBuffer, { labels, rowWeights }: RowTargets, total: HeapBuffer, scale: number): void {
  run("CrossEntropyInPlace", { logits, labels, total, ...(rowWeights === undefined ? {} : { rowWeights }) }, { scale });
}

/** weight [V, C], ids int32 [N] -> the rows of weight at ids [N, C] */
export function gatherRows(weight: Operand, ids: Operand): HeapBuffer {
  return run<HeapBuffer>("Embedding", { weight, ids });
}

/** dy [N, C], ids int32 [N] -> the gradient of the embedding [rows, C] */
export function scatterAddRows(dy: Operand, ids: Operand, rows: number): HeapBuffer {
  return run<HeapBuffer>("EmbeddingGrad", { dy, ids }, { rows });
}
