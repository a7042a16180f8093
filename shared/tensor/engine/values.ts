/** Access to tensors' values without copies. Starts no backend, so it works wherever tfjs-core works. */
import * as tf from "@tensorflow/tfjs-core";

/** A view of a tensor's values; writing to the view changes the tensor. Creating another tensor may invalidate the view. */
export function valuesInPlace(tensor: tf.Tensor): Float32Array {
  // `typedArrayFromHeap` exists in the wasm backend. On the cpu backend, dataSync returns the tensor's own array.
  const backend = tf.backend() as { typedArrayFromHeap?: (info: tf.TensorInfo) => Float32Array };
  return backend.typedArrayFromHeap?.(tensor) ?? (tensor.dataSync() as Float32Array);
}
