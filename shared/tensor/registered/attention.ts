/** Causal attention forward and backward; see kernels/attention.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

export function registerAttention({ backend, kernels, offset, scratch, register }: KernelContext): void {
  const sizes = (q: tf.TensorInfo, k: tf.TensorInfo): number[] => {
    const [batch, queries, heads, width] = q.shape as [number, number, number, number];
    const [, keys, kvHeads] = k.shape as [number, number, number, number];
    const work = scratch(kernels.attentionBytes(keys, width, heads / kvHeads));
    return [batch, queries, keys, heads, kvHeads, width, 1 / Math.sqrt(width), work];
  };
  register("CausalAttention", ({ inputs }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const out = backend.makeOutput(q.shape, "float32");
    const rest = sizes(q, k);
    kernels.attention(...[q, k, v, out].map(offset), ...rest);
    return out;
  });
  register("CausalAttentionGrad", ({ inputs }) => {
    const { q, k, v, out, dy } = inputs as Record<"q" | "k" | "v" | "out" | "dy", tf.TensorInfo>;
    const gradients = [q, k, v].map((input) => backend.makeOutput(input.shape, "float32"));
    const rest = sizes(q, k);
    kernels.attentionBackward(...[q, k, v, out, dy, ...gradients].map(offset), ...rest);
    return gradients;
  });
}
