/**
 * Causal attention, forward and backward (kernels/attention/attention.ts, attention-backward.ts). The forward pass returns the
 * softmax statistics of each row, which the backward pass needs.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

type Sizes = [number, number, number, number];

/** Arbitrary queries and keys have no known bound on their scores. The heads in normed-attention.ts have a bound. */
const IS_BOUNDED = false;

export function registerAttention({ kernels, offset, scratch, register }: KernelContext): void {
  register("CausalAttention", ({ inputs, output }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const { keys, width, group, sizes } = sizesOf(q, k);
    const [out, statistics] = [output(q.shape), output([...q.shape.slice(0, 3), 2])];
    const work = scratch(kernels.attentionBytes(keys, width, group));
    kernels.attention(offset(q), offset(k), offset(v), offset(out), offset(statistics), ...sizes, IS_BOUNDED, work);
    return [out, statistics];
  });
  register("CausalAttentionGrad", ({ inputs, output }) => {
    const { q, k, v, out, statistics, dy } = inputs as Record<"q" | "k" | "v" | "out" | "statistics" | "dy", tf.TensorInfo>;
    const { keys, width, sizes } = sizesOf(q, k);
    const [dq, dk, dv] = [output(q.shape), output(k.shape), output(v.shape)];
    const forward = [offset(q), offset(k), offset(v), offset(out), offset(statistics)] as const;
    const work = scratch(kernels.attentionBackwardBytes(keys, width));
    kernels.attentionBackward(...forward, offset(dy), offset(dq), offset(dk), offset(dv), ...sizes, IS_BOUNDED, work);
    return [dq, dk, dv];
  });
}

/** The sizes in the order of the kernels' arguments: [B, T, S, H, K, D, scale]. */
function sizesOf(q: tf.TensorInfo, k: tf.TensorInfo) {
  const [batch, queries, heads, width] = q.shape as Sizes;
  const [, keys, kvHeads] = k.shape as Sizes;
  const sizes = [batch, queries, keys, heads, kvHeads, width, 1 / Math.sqrt(width)] as const;
  return { keys, width, group: heads / kvHeads, sizes };
}
