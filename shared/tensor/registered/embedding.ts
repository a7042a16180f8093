/**
 * Embedding forward and backward; see kernels/embedding.ts. `UnsortedSegmentSum`, the gradient of `gather`, is the same
 * scatter and is missing upstream (tensorflow/tfjs#8082).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

function scatter({ backend, kernels, offset }: KernelContext, values: tf.TensorInfo, ids: tf.TensorInfo, rows: number): tf.TensorInfo {
  const rest = values.shape.slice(1);
  const out = backend.makeOutput([rows, ...rest], "float32");
  kernels.scatterAddRows(...[values, ids, out].map(offset), values.shape[0]!, tf.util.sizeFromShape(rest), rows);
  return out;
}

export function registerEmbedding(context: KernelContext): void {
  const { backend, kernels, offset, register } = context;
  register("Embedding", ({ inputs }) => {
    const { weight, ids } = inputs as Record<"weight" | "ids", tf.TensorInfo>;
    const [rows, width] = weight.shape as [number, number];
    const count = ids.shape[0]!;
    const bad = kernels.firstOutside(offset(ids), count, 0, rows);
    if (bad >= 0) {
      throw new Error(`embedding: expected ids of 0..${rows - 1}, got ${String(backend.readSync(ids.dataId as never)[bad])} at ${bad}`);
    }
    const out = backend.makeOutput([count, width], "float32");
    kernels.gatherRows(...[weight, ids, out].map(offset), count, width);
    return out;
  });

  register("EmbeddingGrad", ({ inputs, attrs }) => {
    const { dy, ids } = inputs as Record<"dy" | "ids", tf.TensorInfo>;
    return scatter(context, dy, ids, (attrs as { rows: number }).rows);
  });
}

export function registerUnsortedSegmentSum(context: KernelContext): void {
  context.register("UnsortedSegmentSum", ({ inputs, attrs }) => {
    const { x, segmentIds } = inputs as Record<"x" | "segmentIds", tf.TensorInfo>;
    return scatter(context, x, segmentIds, (attrs as { numSegments: number }).numSegments);
  });
}
