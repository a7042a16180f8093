/** RMSNorm forward (with the inverse rms of each row) and backward; see kernels/rms-norm.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

export function registerRmsNorm({ backend, kernels, offset, register }: KernelContext): void {
  register("RmsNorm", ({ inputs, attrs }) => {
    const { x, weight } = inputs as Record<"x" | "weight", tf.TensorInfo>;
    const { epsilon } = attrs as { epsilon: number };
    const out = backend.makeOutput(x.shape, "float32");
    const inverse = backend.makeOutput(x.shape.slice(0, -1), "float32");
    kernels.rmsNorm(...[x, weight, out, inverse].map(offset), ...sizes(x), epsilon);
    return [out, inverse];
  });
  register("RmsNormGrad", ({ inputs }) => {
    const { x, weight, inverse, dy } = inputs as Record<"x" | "weight" | "inverse" | "dy", tf.TensorInfo>;
    const dx = backend.makeOutput(x.shape, "float32");
    const dweight = backend.makeOutput(weight.shape, "float32");
    kernels.rmsNormBackward(...[x, weight, inverse, dy, dx, dweight].map(offset), ...sizes(x));
    return [dx, dweight];
  });
  // dy becomes dx.
  register("RmsNormGradInPlace", ({ inputs }) => {
    const { x, weight, inverse, dy } = inputs as Record<"x" | "weight" | "inverse" | "dy", tf.TensorInfo>;
    const dweight = backend.makeOutput(weight.shape, "float32");
    kernels.rmsNormBackward(...[x, weight, inverse, dy, dy, dweight].map(offset), ...sizes(x));
    return dweight;
  });
}

/** [rows, width] of a tensor whose leading axes are folded */
function sizes({ shape }: tf.TensorInfo): [number, number] {
  return [tf.util.sizeFromShape(shape.slice(0, -1)), shape.at(-1)!];
}
