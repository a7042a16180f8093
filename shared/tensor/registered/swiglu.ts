/** SwiGLU forward and backward; see kernels/swiglu.ts. */
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
    const gradients = [gate, up].map((input) => output(input.shape));
    // The gated product is not asked for: it goes where the first gradient then lies.
    kernels.swigluBackward(...[gate, up, dy, ...gradients, gradients[0]!].map(offset), tf.util.sizeFromShape(gate.shape));
    return gradients;
  });
  // gate and up become their gradients, dy the gated product.
  register("SwigluGradInPlace", ({ inputs }) => {
    const { gate, up, dy } = inputs as Record<"gate" | "up" | "dy", tf.TensorInfo>;
    kernels.swigluBackward(...[gate, up, dy, gate, up, dy].map(offset), tf.util.sizeFromShape(gate.shape));
    return [];
  });
}
