/**
 * What an explicit backward pass (model/gradients.ts) is made of: the kernels of the decoder's operations on heap arrays,
 * many of them writing over an operand, so that each activation lives until its gradient is there and no longer.
 * Only where the kernels are registered (`isFused` in ops.ts). An array that is written over must share its numbers with no
 * other that is still needed. Axis letters as in ops.ts.
 */
import type * as tf from "@tensorflow/tfjs-core";
import { dispose, run, type HeapArray } from "./heap-array.ts";

/** An array, or a tensor such as a weight. */
type Operand = tf.TensorInfo;

/** How a product reads its matrices: as they lie or transposed. */
const FORWARD = { transposeA: false, transposeB: true };
const BACK = { transposeA: false, transposeB: false };
const TO_WEIGHT = { transposeA: true, transposeB: false };

/** x [N, C], weight [O, C] -> x weight^T [N, O] */
export const project = (x: Operand, weight: Operand) => run<HeapArray>("BatchMatMul", { a: x, b: weight }, FORWARD);
/** The same added to `addend` [N, O], which stays. */
export const projectOnto = (addend: Operand, x: Operand, weight: Operand) =>
  run<HeapArray>("MatMulAdd", { a: x, b: weight, addend }, FORWARD);
/** dy [N, O], weight [O, C] -> the gradient of x [N, C], in `into` where it is given */
export const projectBack = (dy: Operand, weight: Operand, into?: HeapArray) =>
  run<HeapArray>("BatchMatMul", { a: dy, b: weight }, BACK, into);
/** The same added to dx [N, C]. */
export const projectBackInto = (dx: HeapArray, dy: Operand, weight: Operand) =>
  run("MatMulAddInPlace", { a: dy, b: weight, addend: dx }, BACK);
/** dy [N, O], x [N, C] -> the gradient of the weight [O, C] */
export const weightGradient = (dy: Operand, x: Operand) => run<HeapArray>("BatchMatMul", { a: dy, b: x }, TO_WEIGHT);

/** target += x; x is gone. */
export function addTo(target: Operand, x: HeapArray | tf.Tensor): void {
  run("AddInPlace", { target, x });
  x.dispose();
}

/** x [..., C], weight [D] -> [..., C], each D numbers divided by their rms, and the inverse rms [N C / D] that the gradient needs */
export function norm(x: Operand, weight: Operand, epsilon: number): { normed: HeapArray; inverse: HeapArray } {
  const [normed, inverse] = run<[HeapArray, HeapArray]>("RmsNorm", { x, weight }, { epsilon });
  return { normed, inverse };
}

/** dy becomes dx -> the gradient of the weight [D]; `inverse` is gone. */
export function normBack(x: Operand, weight: Operand, inverse: HeapArray, dy: HeapArray): HeapArray {
  const dweight = run<HeapArray>("RmsNormGradInPlace", { x, weight, inverse, dy });
  inverse.dispose();
  return dweight;
}

/** target += dx -> the gradient of the weight [D]; `inverse` and dy are gone. */
export function normBackInto(target: HeapArray, x: Operand, weight: Operand, inverse: HeapArray, dy: HeapArray): HeapArray {
  const dweight = run<HeapArray>("RmsNormGradInPlace", { x, weight, inverse, dy, target });
  dispose(inverse, dy);
  return dweight;
}

/** x [N, H D], weight [D] -> each head normed and turned to its position [B, T, H, D], and the inverse rms [N H] that the gradient needs */
export function headNorm(
  x: Operand,
  weight: Operand,
  shape: readonly [batch: number, length: number, heads: number, width: number],
  epsilon: number,
  theta: number,
): { normed: HeapArray; inverse: HeapArray } {
  const [normed, inverse] = run<[HeapArray, HeapArray]>("HeadNorm", { x, weight }, { shape, epsilon, theta });
  return { normed, inverse };
}

/** dy [B, T, H, D] becomes dx -> the gradient of the weight [D]; `inverse` is gone. */
export function headNormBack(x: Operand, weight: Operand, inverse: HeapArray, dy: HeapArray, theta: number): HeapArray {
  const dweight = run<HeapArray>("HeadNormGradInPlace", { x, weight, inverse, dy }, { theta });
  inverse.dispose();
  return dweight;
}

/** x [B, T, H, D] is rotated to its positions, or back. */
export function rotate(x: HeapArray, theta: number, inverse: boolean): void {
  run("RotaryInPlace", { x }, { theta, first: 0, inverse });
}

/** q [B, T, H, D] becomes what it gathers from k and v [B, T, K, D] -> what the gradient needs of the scores [B, T, H, 2] */
export function attend(q: Operand, k: Operand, v: Operand): HeapArray {
  return run<HeapArray>("CausalAttentionInPlace", { q, k, v });
}

/** q, k and v become their gradients; `out` is what `attend` made of q, beside the statistics. */
export function attendBack(q: Operand, k: Operand, v: Operand, out: Operand, statistics: Operand, dy: Operand): void {
  run("CausalAttentionGradInPlace", { q, k, v, out, statistics, dy });
}

/** gate, up [N, F] -> silu(gate) up [N, F] */
export function gated(gate: Operand, up: Operand): HeapArray {
  return run<HeapArray>("Swiglu", { gate, up });
}

/** gate and up become their gradients, dy becomes silu(gate) up [N, F] once more. */
export function gatedBack(gate: HeapArray, up: HeapArray, dy: HeapArray): void {
  run("SwigluGradInPlace", { gate, up, dy });
}

/** logits [N, V] become weight times their gradient; weight times the sum of the losses is added to total [1]. */
export function lossBack(logits: HeapArray, labels: Operand, total: HeapArray, weight: number): void {
  run("CrossEntropyInPlace", { logits, labels, total }, { weight });
}

/** weight [V, C], ids int32 [N] -> its rows at ids [N, C] */
export function embed(weight: Operand, ids: Operand): HeapArray {
  return run<HeapArray>("Embedding", { weight, ids });
}

/** dy [N, C], ids int32 [N] -> the gradient of the embedding [rows, C] */
export function embedBack(dy: Operand, ids: Operand, rows: number): HeapArray {
  return run<HeapArray>("EmbeddingGrad", { dy, ids }, { rows });
}
