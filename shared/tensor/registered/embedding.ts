/**
 * Embedding, forward and backward (kernels/pointwise/embedding.ts). `UnsortedSegmentSum`, the gradient of `gather`, uses the
 * same kernel as the backward pass. tfjs's wasm backend lacks it (tensorflow/tfjs#8082).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelCall, KernelContext } from "../engine/kernel-context.ts";

function scatter(
  { kernels, offset }: KernelContext,
  output: KernelCall["output"],
  values: tf.TensorInfo,
  ids: tf.TensorInfo,
  rows: number,
): tf.TensorInfo {
  const rest = values.shape.slice(1);
  const out = output([rows, ...rest]);
  kernels.scatterAddRows(offset(values), offset(ids), offset(out), values.shape[0]!, tf.util.sizeFromShape(rest), rows);
  return out;
}

export function registerEmbedding(context: KernelContext): void {
  const { kernels, offset, integers, register } = context;
  register("Embedding", ({ inputs, output }) => {
    const { weight, ids } = inputs as Record<"weight" | "ids", tf.TensorInfo>;
    const [rows, width] = weight.shape as [number, number];
    const count = ids.shape[0]!;
    const bad = kernels.firstOutside(offset(ids), count, 0, rows);
    if (bad >= 0) {
      throw new Error(`embedding: expected ids of 0..${rows - 1}, got ${integers(ids)[bad]} at ${bad}`);
    }
    const out = output([count, width]);
    kernels.gatherRows(offset(weight), offset(ids), offset(out), count, width);
    return out;
  });

  register("EmbeddingGrad", ({ inputs, attrs, output }) => {
    const { dy, ids } = inputs as Record<"dy" | "ids", tf.TensorInfo>;
    return scatter(context, output, dy, ids, (attrs as { rows: number }).rows);
  });
}

export function registerUnsortedSegmentSum(context: KernelContext): void {
  context.register("UnsortedSegmentSum", ({ inputs, attrs, output }) => {
    const { x, segmentIds } = inputs as Record<"x" | "segmentIds", tf.TensorInfo>;
    return scatter(context, output, x, segmentIds, (attrs as { numSegments: number }).numSegments);
  });
}
