/** SwiGLU, forward and backward (kernels/pointwise/swiglu.ts). */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

export function registerSwiglu({ kernels, offset, register }: KernelContext): void {
  register("Swiglu", ({ inputs, output }) => {
    const { gate, up } = inputs as Record<"gate" | "up", tf.TensorInfo>;
    const out = output(gate.shape);
    kernels.swiglu(offset(gate), offset(up), offset(out), tf.util.sizeFromShape(gate.shape));
    return out;
  });
  register("SwigluGrad", ({ inputs, output }) => {
    const { gate, up, dy } = inputs as Record<"gate" | "up" | "dy", tf.TensorInfo>;
    const [dgate, dup] = [output(gate.shape), output(up.shape)];
    // The gated product is not needed here, so the gradient of gate overwrites it.
    const hidden = offset(dgate);
    kernels.swigluBackward(offset(gate), offset(up), offset(dy), offset(dgate), offset(dup), hidden, tf.util.sizeFromShape(gate.shape));
    return [dgate, dup];
  });
  // Replaces gate and up by their gradients, and dy by the gated product.
  register("SwigluGradInPlace", ({ inputs }) => {
    const { gate, up, dy } = inputs as Record<"gate" | "up" | "dy", tf.TensorInfo>;
    const operands = [offset(gate), offset(up), offset(dy)] as const;
    kernels.swigluBackward(...operands, ...operands, tf.util.sizeFromShape(gate.shape));
    return [];
  });
}
