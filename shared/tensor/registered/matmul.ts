/**
 * matMul for every transposition (kernels/gemm/matmul.ts): plain, with bias and activation, and with an addend. `MatMulAdd`
 * returns a new matrix; `MatMulAddInPlace` overwrites the addend. tfjs's own kernels use a slow scalar loop for transposed or
 * batched operands.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelCall, KernelContext } from "../engine/kernel-context.ts";
import { NONE } from "../engine/wasm-runtime.ts";

type Attributes = Record<"transposeA" | "transposeB", boolean>;

/** Activations of `_FusedMatMul`, with the kernels that compute them. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

export function registerMatMul({ backend, kernels, offset, scratch, register }: KernelContext): void {
  /** Computes addend + a b. `output` allocates the result for its shape. */
  const multiply = (
    inputs: KernelCall["inputs"],
    { transposeA, transposeB }: Attributes,
    addend: tf.TensorInfo | null,
    output: KernelCall["output"],
  ): tf.TensorInfo => {
    const { a, b } = inputs as Record<"a" | "b", tf.TensorInfo>;
    if (a.dtype !== "float32" || b.dtype !== "float32") throw new Error(`matMul: expected float32, got ${a.dtype} and ${b.dtype}`);
    const m = a.shape.at(transposeA ? -1 : -2)!;
    const k = a.shape.at(transposeA ? -2 : -1)!;
    const n = b.shape.at(transposeB ? -2 : -1)!;
    const kb = b.shape.at(transposeB ? -1 : -2)!;
    if (k !== kb) throw new Error(`matMul: expected equal inner sizes, got ${k} and ${kb}`);
    const { lead, aBatch, bBatch } = batches(a.shape, b.shape);
    const shape = [...lead, m, n];
    if (addend !== null && !tf.util.arraysEqual(addend.shape, shape))
      throw new Error(`matMul: expected an addend [${shape}], got [${addend.shape}]`);
    const out = output(shape);
    // If all matrices of a batch are multiplied by the same B, one tall product packs B only once.
    const tall = bBatch === 1 && !transposeA ? aBatch : 1;
    const [aRow, aCol] = transposeA ? [1, m] : [k, 1];
    const [bRow, bCol] = transposeB ? [1, k] : [n, 1];
    const pack = scratch(kernels.matMulBytes(m * tall, n, k, aRow, bCol));
    kernels.matMul(
      offset(a),
      offset(b),
      addend === null ? NONE : offset(addend),
      offset(out),
      tf.util.sizeFromShape(lead) / tall,
      m * tall,
      n,
      k,
      aBatch === 1 ? 0 : m * k,
      aRow,
      aCol,
      bBatch === 1 ? 0 : k * n,
      bRow,
      bCol,
      pack,
    );
    return out;
  };

  /** Runs a kernel on `x`, then frees x. */
  const then = (name: string, x: tf.TensorInfo, inputs: tf.NamedTensorInfoMap, attrs: tf.NamedAttrMap = {}): tf.TensorInfo => {
    const kernel = tf.getKernel(name, "wasm");
    if (kernel === undefined) throw new Error(`_FusedMatMul: expected a wasm kernel ${name}, found none`);
    const out = kernel.kernelFunc({ inputs, attrs, backend }) as tf.TensorInfo;
    backend.disposeData(x.dataId);
    return out;
  };

  register("BatchMatMul", ({ inputs, attrs, output }) => multiply(inputs, attrs as Attributes, null, output));
  register("MatMulAdd", ({ inputs, attrs, output }) => multiply(inputs, attrs as Attributes, inputs["addend"]!, output));
  register("MatMulAddInPlace", ({ inputs, attrs }) => {
    const addend = inputs["addend"]!;
    multiply(inputs, attrs as Attributes, addend, () => addend);
    return [];
  });
  register("_FusedMatMul", ({ inputs, attrs, output }) => {
    const { bias, preluActivationWeights: alpha } = inputs;
    const { activation = "linear", leakyreluAlpha } = attrs as { activation?: string; leakyreluAlpha?: number };
    const kernel = ACTIVATIONS[activation];
    if (activation !== "linear" && kernel === undefined) {
      throw new Error(`_FusedMatMul: expected linear or one of ${Object.keys(ACTIVATIONS).join(", ")}, got ${activation}`);
    }
    let x = multiply(inputs, attrs as Attributes, null, output);
    if (bias !== undefined && bias !== null) x = then("Add", x, { a: x, b: bias });
    if (kernel === undefined) return x;
    return then(kernel, x, activation === "prelu" ? { x, alpha: alpha! } : { x }, { alpha: leakyreluAlpha ?? 0 });
  });
}

/**
 * The leading axes of the product, and the number of matrices in each operand. Leading axes must be equal, or an operand must be
 * a single matrix.
 */
function batches(a: readonly number[], b: readonly number[]): { lead: number[]; aBatch: number; bBatch: number } {
  if (a.length === 2 && b.length === 2) return { lead: [], aBatch: 1, bBatch: 1 };
  const [aLead, bLead] = [a.slice(0, -2), b.slice(0, -2)];
  const [aBatch, bBatch] = [tf.util.sizeFromShape(aLead), tf.util.sizeFromShape(bLead)];
  const lead = aBatch === bBatch ? (aLead.length >= bLead.length ? aLead : bLead) : aBatch === 1 ? bLead : aLead;
  const isAllowed = aBatch === 1 || bBatch === 1 || tf.util.arraysEqual(trimmed(aLead), trimmed(bLead));
  if (!isAllowed) throw new Error(`matMul: expected equal batches or 1, got [${aLead}] and [${bLead}]`);
  return { lead, aBatch, bBatch };
}

/** Removes leading axes of size 1. */
function trimmed(shape: readonly number[]): number[] {
  const first = shape.findIndex((size) => size !== 1);
  return first === -1 ? [] : shape.slice(first);
}
