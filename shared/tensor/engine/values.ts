/** Values of tensors without copies. Starts no backend, so it runs wherever tfjs-core does. */
import * as tf from "@tensorflow/tfjs-core";

/** A tensor's values where they lie: writing changes the tensor, and the next tensor that is made may end the view's life. */
export function valuesInPlace(tensor: tf.Tensor): Float32Array {
  // The wasm backend's own method; on the cpu backend the values are an array, which is handed out as it is.
  const backend = tf.backend() as { typedArrayFromHeap?: (info: tf.TensorInfo) => Float32Array };
  return backend.typedArrayFromHeap?.(tensor) ?? (tensor.dataSync() as Float32Array);
}
