/** `UnsortedSegmentSum`, the gradient of `gather`, is missing upstream (tensorflow/tfjs#8082). */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

export function registerEmbedding({ backend, kernels, offset, register }: KernelContext): void {
  register("UnsortedSegmentSum", ({ inputs, attrs }) => {
    const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
    const { numSegments } = attrs as unknown as { numSegments: number };
    const count = x.shape[0]!;
    const width = tf.util.sizeFromShape(x.shape.slice(1));
    const out = backend.makeOutput([numSegments, ...x.shape.slice(1)], "float32");
    kernels.scatterAddRows(offset(x), offset(segmentIds), offset(out), count, width, numSegments);
    return out;
  });
}
