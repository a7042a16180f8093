/**
 * What an explicit backward pass (model/gradients.ts) is made of: the kernels of the decoder's operations without tfjs's
 * tape, many of them writing over an operand, so that each activation lives until its gradient is there and no longer.
 * Only where the kernels are registered (`isFused` in ops.ts). A tensor that is written over must share its data with no
 * other that is still needed. Axis letters as in ops.ts.
 */
import * as tf from "@tensorflow/tfjs-core";

/** A kernel's outputs. What tfjs's engine adds to this, records for a tape and a profile, costs as much as a small kernel. */
function run(kernelName: string, inputs: Record<string, tf.Tensor>, attrs: tf.NamedAttrMap = {}): tf.Tensor[] {
  const kernel = tf.getKernel(kernelName, tf.getBackend());
  if (kernel === undefined) throw new Error(`${kernelName}: expected the ${tf.getBackend()} backend to have this kernel, it has not`);
  const outputs = kernel.kernelFunc({ inputs, attrs, backend: tf.backend() });
  return [outputs].flat().map((info) => tf.engine().makeTensorFromTensorInfo(info));
}

/** The same numbers in another shape; they live until the last of their tensors is gone. */
export function view<T extends tf.Tensor>(x: tf.Tensor, shape: number[]): T {
  return run("Reshape", { x }, { shape })[0] as T;
}

/** The same, and x is gone. */
export function shaped<T extends tf.Tensor>(x: tf.Tensor, shape: number[]): T {
  const y = view<T>(x, shape);
  x.dispose();
  return y;
}

/** How a product reads its matrices: as they lie or transposed. */
const FORWARD = { transposeA: false, transposeB: true };
const BACK = { transposeA: false, transposeB: false };
const TO_WEIGHT = { transposeA: true, transposeB: false };

/** x [N, C], weight [O, C] -> x weight^T [N, O] */
export const project = (x: tf.Tensor, weight: tf.Tensor) => run("BatchMatMul", { a: x, b: weight }, FORWARD)[0] as tf.Tensor2D;
/** The same added to `addend` [N, O], which stays. */
export const projectOnto = (addend: tf.Tensor, x: tf.Tensor, weight: tf.Tensor) =>
  run("MatMulAdd", { a: x, b: weight, addend }, FORWARD)[0] as tf.Tensor2D;
/** dy [N, O], weight [O, C] -> the gradient of x [N, C] */
export const projectBack = (dy: tf.Tensor, weight: tf.Tensor) => run("BatchMatMul", { a: dy, b: weight }, BACK)[0] as tf.Tensor2D;
/** The same added to dx [N, C]. */
export const projectBackInto = (dx: tf.Tensor, dy: tf.Tensor, weight: tf.Tensor) =>
  void run("MatMulAddInPlace", { a: dy, b: weight, addend: dx }, BACK);
/** dy [N, O], x [N, C] -> the gradient of the weight [O, C] */
export const weightGradient = (dy: tf.Tensor, x: tf.Tensor) => run("BatchMatMul", { a: dy, b: x }, TO_WEIGHT)[0] as tf.Tensor2D;

/** target += x; x is gone. */
export function addTo(target: tf.Tensor, x: tf.Tensor): void {
  run("AddInPlace", { target, x });
  x.dispose();
}

/** x [..., C], weight [D] -> [..., C], each D numbers divided by their rms, and the inverse rms [N C / D] that the gradient needs */
export function norm<T extends tf.Tensor>(x: T, weight: tf.Tensor, epsilon: number): { normed: T; inverse: tf.Tensor } {
  const [normed, inverse] = run("RmsNorm", { x, weight }, { epsilon });
  return { normed: normed as T, inverse: inverse! };
}

/** dy becomes dx -> the gradient of the weight [D]; `inverse` is gone. */
export function normBack(x: tf.Tensor, weight: tf.Tensor, inverse: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const [dweight] = run("RmsNormGradInPlace", { x, weight, inverse, dy });
  inverse.dispose();
  return dweight!;
}

/** target += dx -> the gradient of the weight [D]; `inverse` and dy are gone. */
export function normBackInto(target: tf.Tensor, x: tf.Tensor, weight: tf.Tensor, inverse: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const [dweight] = run("RmsNormGradInPlace", { x, weight, inverse, dy, target });
  tf.dispose([inverse, dy]);
  return dweight!;
}

/** x [B, T, H, D] is rotated to its positions, or back. */
export function rotate(x: tf.Tensor, theta: number, inverse: boolean): void {
  run("RotaryInPlace", { x }, { theta, first: 0, inverse });
}

/** q [B, T, H, D] becomes what it gathers from k and v [B, T, K, D] -> what the gradient needs of the scores [B, T, H, 2] */
export function attend(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  return run("CausalAttentionInPlace", { q, k, v })[0] as tf.Tensor4D;
}

/** q, k and v become their gradients; `out` is what `attend` made of q, beside the statistics. */
export function attendBack(
  q: tf.Tensor4D,
  k: tf.Tensor4D,
  v: tf.Tensor4D,
  out: tf.Tensor4D,
  statistics: tf.Tensor4D,
  dy: tf.Tensor4D,
): void {
  run("CausalAttentionGradInPlace", { q, k, v, out, statistics, dy });
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

/** weight [V, C], ids int32 [N] -> its rows at ids [N, C] */
export function embed(weight: tf.Tensor, ids: tf.Tensor1D): tf.Tensor2D {
  return run("Embedding", { weight, ids })[0] as tf.Tensor2D;
}

/** dy [N, C], ids int32 [N] -> the gradient of the embedding [rows, C] */
export function embedBack(dy: tf.Tensor, ids: tf.Tensor1D, rows: number): tf.Tensor2D {
  return run("EmbeddingGrad", { dy, ids }, { rows })[0] as tf.Tensor2D;
}
