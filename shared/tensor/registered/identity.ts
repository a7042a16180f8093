/**
 * `Identity` without a copy. tfjs clones a tensor whenever a gradient keeps it. Its cpu and WebGL backends then share the data
 * and count references; its wasm backend copies, which held every activation twice. Tensors are immutable, so sharing is safe
 * as long as a kernel that overwrites an input owns its only reference.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

export function registerIdentity({ backend, register }: KernelContext): void {
  register("Identity", ({ inputs }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    backend.incRef(x.dataId as never);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  });
}
