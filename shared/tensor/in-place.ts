/**
 * What an explicit backward pass (model/gradients.ts) is made of: the kernels of the decoder's operations without tfjs's
 * tape, many of them writing over an operand, so that each activation lives until its gradient is there and no longer.
 * Only where the kernels are registered (`isFused` in ops.ts). A tensor that is written over must share its data with no
 * other that is still needed. Axis letters as in ops.ts.
 */
import * as tf from "@tensorflow/tfjs-core";

/** What tfjs's engine does for a kernel, without its records for a tape and a profile, which cost as much as a small kernel. */
function run(kernelName: string, inputs: Record<string, tf.Tensor>, attrs: Record<string, number | boolean> = {}): tf.Tensor[] {
  const kernel = tf.getKernel(kernelName, tf.getBackend());
  if (kernel === undefined) throw new Error(`${kernelName}: expected the ${tf.getBackend()} backend to have this kernel, it has not`);
  const result = kernel.kernelFunc({ inputs, attrs, backend: tf.backend() });
  return [result].flat().map((info) => tf.engine().makeTensorFromTensorInfo(info));
}

/** The matrices of a product, each as it lies or transposed. */
function product(a: tf.Tensor, b: tf.Tensor, transposeA: boolean, transposeB: boolean): tf.Tensor2D {
  return run("BatchMatMul", { a, b }, { transposeA, transposeB })[0] as tf.Tensor2D;
}

/** x [N, C], weight [O, C] -> x weight^T [N, O] */
export const project = (x: tf.Tensor, weight: tf.Tensor) => product(x, weight, false, true);
/** dy [N, O], weight [O, C] -> the gradient of x [N, C] */
export const projectBack = (dy: tf.Tensor, weight: tf.Tensor) => product(dy, weight, false, false);
/** dy [N, O], x [N, C] -> the gradient of the weight [O, C] */
export const weightGradient = (dy: tf.Tensor, x: tf.Tensor) => product(dy, x, true, false);

/** target += x; x is gone. */
export function addTo(target: tf.Tensor, x: tf.Tensor): void {
  run("AddInPlace", { target, x });
  x.dispose();
}

/** target += x; x stays. */
export function addCopy(target: tf.Tensor, x: tf.Tensor): void {
  run("AddInPlace", { target, x });
}

/** x [..., C], weight [C] -> [..., C] and the inverse rms [...] that the gradient needs */
export function norm<T extends tf.Tensor>(x: T, weight: tf.Tensor, epsilon: number): { normed: T; inverse: tf.Tensor } {
  const [normed, inverse] = run("RmsNorm", { x, weight }, { epsilon });
  return { normed: normed as T, inverse: inverse! };
}

/** dy becomes dx -> the gradient of the weight [C]; `inverse` is gone. */
export function normBack(x: tf.Tensor, weight: tf.Tensor, inverse: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const [dweight] = run("RmsNormGradInPlace", { x, weight, inverse, dy });
  inverse.dispose();
  return dweight!;
}

/** x [B, T, H, D] is rotated to its positions, or back. */
export function rotate(x: tf.Tensor, theta: number, inverse: boolean): void {
  run("RotaryInPlace", { x }, { theta, first: 0, inverse });
}

/** q [B, T, H, D], k and v [B, T, K, D] -> [B, T, H, D] */
export function attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor): tf.Tensor {
  return run("CausalAttention", { q, k, v })[0]!;
}

/** -> the gradients of q, k, v; `out` is what `attend` gave. */
export function attendBack(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, out: tf.Tensor, dy: tf.Tensor): [tf.Tensor, tf.Tensor, tf.Tensor] {
  return run("CausalAttentionGrad", { q, k, v, out, dy }) as [tf.Tensor, tf.Tensor, tf.Tensor];
}

/** gate, up [N, F] -> silu(gate) up [N, F] */
export function gated(gate: tf.Tensor, up: tf.Tensor): tf.Tensor {
  return run("Swiglu", { gate, up })[0]!;
}

/** gate and up become their gradients, dy becomes silu(gate) up [N, F] once more. */
export function gatedBack(gate: tf.Tensor, up: tf.Tensor, dy: tf.Tensor): void {
  run("SwigluGradInPlace", { gate, up, dy });
}

/** logits [N, V] become weight times their gradient; weight times the sum of the losses is added to total [1]. */
export function lossBack(logits: tf.Tensor, labels: tf.Tensor1D, total: tf.Tensor, weight: number): void {
  run("CrossEntropyInPlace", { logits, labels, total }, { weight });
}

/** weight [V, C], ids int32 [N] -> [N, C] */
export function embed(weight: tf.Tensor, ids: tf.Tensor1D): tf.Tensor2D {
  return run("Embedding", { weight, ids })[0] as tf.Tensor2D;
}

/** dy [N, C], ids int32 [N] -> the gradient of the embedding [rows, C] */
export function embedBack(dy: tf.Tensor, ids: tf.Tensor1D, rows: number): tf.Tensor {
  return run("EmbeddingGrad", { dy, ids }, { rows })[0]!;
}
