/** `AddInPlace`: adds to its first operand and has no output (kernels/pointwise/accumulate.ts). */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

export function registerAccumulate({ kernels, offset, register }: KernelContext): void {
  register("AddInPlace", ({ inputs }) => {
    const [target, x] = [inputs["target"]!, inputs["x"]!];
    const size = tf.util.sizeFromShape(target.shape);
    if (tf.util.sizeFromShape(x.shape) !== size) throw new Error(`AddInPlace: expected x [${target.shape}], got [${x.shape}]`);
    kernels.addInPlace(offset(target), offset(x), size);
    return [];
  });
}
