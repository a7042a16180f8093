/** Causal attention forward (with what backward needs of each row of scores) and backward; see kernels/attention.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

type Sizes = [number, number, number, number];

export function registerAttention({ backend, kernels, offset, scratch, register }: KernelContext): void {
  /** -> what backward needs of the scores [B, T, H, 2] */
  const forward = (inputs: tf.NamedTensorInfoMap, out: tf.TensorInfo): tf.TensorInfo => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const { keys, width, group, all } = sizesOf(q, k);
    const statistics = backend.makeOutput([...q.shape.slice(0, 3), 2], "float32");
    const work = scratch(kernels.attentionBytes(keys, width, group));
    kernels.attention(...[q, k, v, out, statistics].map(offset), ...all, work);
    return statistics;
  };
  register("CausalAttention", ({ inputs }) => {
    const out = backend.makeOutput(inputs["q"]!.shape, "float32");
    return [out, forward(inputs as tf.NamedTensorInfoMap, out)];
  });
  // q becomes the output.
  register("CausalAttentionInPlace", ({ inputs }) => forward(inputs as tf.NamedTensorInfoMap, inputs["q"]!));
  const backward = (inputs: tf.NamedTensorInfoMap, gradients: tf.TensorInfo[]): void => {
    const { q, k, v, out, statistics, dy } = inputs as Record<"q" | "k" | "v" | "out" | "statistics" | "dy", tf.TensorInfo>;
    const { keys, width, all } = sizesOf(q, k);
    const work = scratch(kernels.attentionBackwardBytes(keys, width));
    kernels.attentionBackward(...[q, k, v, out, statistics, dy, ...gradients].map(offset), ...all, work);
  };
  register("CausalAttentionGrad", ({ inputs }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    const gradients = [q, k, v].map((input) => backend.makeOutput(input.shape, "float32"));
    backward(inputs as tf.NamedTensorInfoMap, gradients);
    return gradients;
  });
  // q, k and v become their gradients.
  register("CausalAttentionGradInPlace", ({ inputs }) => {
    const { q, k, v } = inputs as Record<"q" | "k" | "v", tf.TensorInfo>;
    backward(inputs as tf.NamedTensorInfoMap, [q, k, v]);
    return [];
  });
}

/** What the kernels and their scratch are told of the shapes. */
function sizesOf(q: tf.TensorInfo, k: tf.TensorInfo) {
  const [batch, queries, heads, width] = q.shape as Sizes;
  const [, keys, kvHeads] = k.shape as Sizes;
  return { keys, width, group: heads / kvHeads, all: [batch, queries, keys, heads, kvHeads, width, 1 / Math.sqrt(width)] };
}
