/** Access to tensors' values without copies. Starts no backend, so it works wherever tfjs-core works. */
import * as tf from "@tensorflow/tfjs-core";
import type { TensorBackend } from "./kernel-context.ts";

/** A view of a tensor's values; writing to the view changes the tensor. Creating another tensor may invalidate the view. */
export function valuesInPlace(tensor: tf.Tensor): Float32Array {
  // `typedArrayFromHeap` exists in the wasm backend. On the cpu backend, dataSync returns the tensor's own array.
  const backend = tf.backend() as { typedArrayFromHeap?: (info: tf.TensorInfo) => Float32Array };
  return backend.typedArrayFromHeap?.(tensor) ?? (tensor.dataSync() as Float32Array);
}

/**
 * Creates a tensor with undefined values, which the caller must write in place. Needs a backend that keeps its tensors in wasm
 * memory.
 */
export function unwrittenTensor(shape: readonly number[]): tf.Tensor {
  const backend = tf.backend() as tf.KernelBackend & TensorBackend;
  return tf.engine().makeTensorFromTensorInfo(backend.makeOutput([...shape], "float32"));
}
