/** Causal attention forward (with what backward needs of each row of scores) and backward; see kernels/attention.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

type Sizes = [number, number, number, number];

export function registerAttention({ kernels, offset, scratch, register }: KernelContext): void {
  register("CausalAttention", ({ inputs, output }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const { keys, width, group, all } = sizesOf(q, k);
    const [out, statistics] = [output(q.shape), output([...q.shape.slice(0, 3), 2])];
    const work = scratch(kernels.attentionBytes(keys, width, group));
    kernels.attention(offset(q), offset(k), offset(v), offset(out), offset(statistics), ...all, work);
    return [out, statistics];
  });
  register("CausalAttentionGrad", ({ inputs, output }) => {
    const { q, k, v, out, statistics, dy } = inputs as Record<"q" | "k" | "v" | "out" | "statistics" | "dy", tf.TensorInfo>;
    const { keys, width, all } = sizesOf(q, k);
    const gradients = [q, k, v].map((input) => output(input.shape));
    const work = scratch(kernels.attentionBackwardBytes(keys, width));
    kernels.attentionBackward(...[q, k, v, out, statistics, dy, ...gradients].map(offset), ...all, work);
    return gradients;
  });
}

/** What the kernels and their scratch are told of the shapes. */
function sizesOf(q: tf.TensorInfo, k: tf.TensorInfo) {
  const [batch, queries, heads, width] = q.shape as Sizes;
  const [, keys, kvHeads] = k.shape as Sizes;
  // Of scores of any queries and keys no bound is known.
  const isBounded = 0;
  const all = [batch, queries, keys, heads, kvHeads, width, 1 / Math.sqrt(width), isBounded];
  return { keys, width, group: heads / kvHeads, all };
}
