/** SwiGLU forward and backward; see kernels/swiglu.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

export function registerSwiglu({ backend, kernels, offset, register }: KernelContext): void {
  register("Swiglu", ({ inputs }) => {
    const { gate, up } = inputs as Record<"gate" | "up", tf.TensorInfo>;
    const out = backend.makeOutput(gate.shape, "float32");
    kernels.swiglu(...[gate, up, out].map(offset), tf.util.sizeFromShape(gate.shape));
    return out;
  });
  register("SwigluGrad", ({ inputs }) => {
    const { gate, up, dy } = inputs as Record<"gate" | "up" | "dy", tf.TensorInfo>;
    const gradients = [gate, up].map((input) => backend.makeOutput(input.shape, "float32"));
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
