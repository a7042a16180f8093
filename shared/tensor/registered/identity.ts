/**
 * `Identity` without a copy. tfjs clones a tensor when a gradient keeps it. The cpu and WebGL backends share the data and count
 * references, but the wasm backend copies, so every activation existed twice. Sharing is safe because tensors are immutable. A
 * kernel that overwrites an input must hold its only reference.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

export function registerIdentity({ backend, register }: KernelContext): void {
  register("Identity", ({ inputs }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    backend.incRef(x.dataId);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  });
}
