/** RMSNorm: forward (also returns the inverse rms of each row) and backward (kernels/pointwise/rms-norm.ts). */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";
import { NONE } from "../engine/wasm-runtime.ts";

type Inputs = Record<"x" | "weight" | "inverse" | "dy", tf.TensorInfo>;

export function registerRmsNorm({ kernels, offset, register }: KernelContext): void {
  /** dx = addend + the gradient of x */
  const backward = ({ x, weight, inverse, dy }: Inputs, addend: tf.TensorInfo | null, dx: tf.TensorInfo, dweight: tf.TensorInfo): void => {
    const from = addend === null ? NONE : offset(addend);
    const operands = [offset(x), offset(weight), offset(inverse), offset(dy)] as const;
    kernels.rmsNormBackward(...operands, from, offset(dx), offset(dweight), ...sizes(x, weight));
  };
  register("RmsNorm", ({ inputs, attrs, output }) => {
    const { x, weight } = inputs as Record<"x" | "weight", tf.TensorInfo>;
    const { epsilon } = attrs as { epsilon: number };
    const out = output(x.shape);
    const [rows, width] = sizes(x, weight);
    const inverse = output([rows]);
    kernels.rmsNorm(offset(x), offset(weight), offset(out), offset(inverse), rows, width, epsilon);
    return [out, inverse];
  });
  register("RmsNormGrad", ({ inputs, output }) => {
    const operands = inputs as Inputs;
    const [dx, dweight] = [output(operands.x.shape), output(operands.weight.shape)];
    backward(operands, null, dx, dweight);
    return [dx, dweight];
  });
  // Replaces dy by dx, or adds dx to `target`.
  register("RmsNormGradInPlace", ({ inputs, output }) => {
    const { target = null, ...operands } = inputs as Inputs & { target?: tf.TensorInfo };
    const dweight = output(operands.weight.shape);
    backward(operands, target, target ?? operands.dy, dweight);
    return dweight;
  });
}

/** [rows, width] of a tensor with folded leading axes. */
function sizes(x: tf.TensorInfo, weight: tf.TensorInfo): [number, number] {
  const width = weight.shape[0]!;
  return [tf.util.sizeFromShape(x.shape) / width, width];
}
