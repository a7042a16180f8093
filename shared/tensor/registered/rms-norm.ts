/** RMSNorm forward (with the inverse rms of each row) and backward; see kernels/rms-norm.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

export function registerRmsNorm({ kernels, offset, register }: KernelContext): void {
  /** dx = addend + the gradient of x */
  const backward = (
    x: tf.TensorInfo,
    weight: tf.TensorInfo,
    inverse: tf.TensorInfo,
    dy: tf.TensorInfo,
    addend: tf.TensorInfo | null,
    dx: tf.TensorInfo,
    dweight: tf.TensorInfo,
  ): void => {
    const from = addend === null ? 0 : offset(addend);
    const [rows, width] = sizes(x, weight);
    kernels.rmsNormBackward(offset(x), offset(weight), offset(inverse), offset(dy), from, offset(dx), offset(dweight), rows, width);
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
    const { x, weight, inverse, dy } = inputs as Record<"x" | "weight" | "inverse" | "dy", tf.TensorInfo>;
    const dx = output(x.shape);
    const dweight = output(weight.shape);
    backward(x, weight, inverse, dy, null, dx, dweight);
    return [dx, dweight];
  });
  // dy becomes dx, or dx is added to `target`.
  register("RmsNormGradInPlace", ({ inputs, output }) => {
    const { x, weight, inverse, dy } = inputs as Record<"x" | "weight" | "inverse" | "dy", tf.TensorInfo>;
    const target = (inputs as Partial<Record<"target", tf.TensorInfo>>).target ?? null;
    const dweight = output(weight.shape);
    backward(x, weight, inverse, dy, target, target ?? dy, dweight);
    return dweight;
  });
}

/** [rows, width] of a tensor whose leading axes are folded. */
function sizes(x: tf.TensorInfo, weight: tf.TensorInfo): [number, number] {
  const width = weight.shape[0]!;
  return [tf.util.sizeFromShape(x.shape) / width, width];
}
