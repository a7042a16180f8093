/** Causal attention forward (with what backward needs of each row of scores) and backward; see kernels/attention.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelCall, KernelContext } from "../kernel-context.ts";

type Sizes = [number, number, number, number];

export function registerAttention({ kernels, offset, scratch, register }: KernelContext): void {
  /** -> what backward needs of the scores [B, T, H, 2] */
  const forward = ({ inputs, output }: KernelCall, out: tf.TensorInfo): tf.TensorInfo => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const { keys, width, group, all } = sizesOf(q, k);
    const statistics = output([...q.shape.slice(0, 3), 2]);
    const work = scratch(kernels.attentionBytes(keys, width, group));
    kernels.attention(offset(q), offset(k), offset(v), offset(out), offset(statistics), ...all, work);
    return statistics;
  };
  register("CausalAttention", (call) => {
    const out = call.output(call.inputs["q"]!.shape);
    return [out, forward(call, out)];
  });
  // q becomes the output.
  register("CausalAttentionInPlace", (call) => forward(call, call.inputs["q"]!));
  const backward = (inputs: KernelCall["inputs"], gradients: tf.TensorInfo[]): void => {
    const { q, k, v, out, statistics, dy } = inputs as Record<"q" | "k" | "v" | "out" | "statistics" | "dy", tf.TensorInfo>;
    const { keys, width, all } = sizesOf(q, k);
    const work = scratch(kernels.attentionBackwardBytes(keys, width));
    kernels.attentionBackward(...[q, k, v, out, statistics, dy, ...gradients].map(offset), ...all, work);
  };
  register("CausalAttentionGrad", ({ inputs, output }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const gradients = [q, k, v].map((input) => output(input.shape));
    backward(inputs, gradients);
    return gradients;
  });
  // q, k and v become their gradients.
  register("CausalAttentionGradInPlace", ({ inputs }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    backward(inputs, [q, k, v]);
    return [];
  });
}

/** What the kernels and their scratch are told of the shapes. */
function sizesOf(q: tf.TensorInfo, k: tf.TensorInfo) {
  const [batch, queries, heads, width] = q.shape as Sizes;
  const [, keys, kvHeads] = k.shape as Sizes;
  return { keys, width, group: heads / kvHeads, all: [batch, queries, keys, heads, kvHeads, width, 1 / Math.sqrt(width)] };
}
