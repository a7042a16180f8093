/** Values of tensors without copies. Starts no backend, so it runs wherever tfjs-core does. */
import * as tf from "@tensorflow/tfjs-core";

/** A view of a tensor's values: writing to it changes the tensor. The next tensor that is made may end its life. */
export function valuesInPlace(tensor: tf.Tensor): Float32Array {
  // A method of the wasm backend. On the cpu backend the values are an array, and dataSync returns that array.
  const backend = tf.backend() as { typedArrayFromHeap?: (info: tf.TensorInfo) => Float32Array };
  return backend.typedArrayFromHeap?.(tensor) ?? (tensor.dataSync() as Float32Array);
}
