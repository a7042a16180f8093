/** Weights, optimizer states and deltas as safetensors bytes, and back, with the names and shapes checked. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import { weightShapes, type Weights } from "./weights.ts";

export function encodeWeights(weights: Weights): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(
    Object.entries(weights).map(([name, tensor]) => ({ name, shape: tensor.shape, data: tensor.dataSync() as Float32Array })),
  );
}

/** The caller disposes the tensors. */
export function decodeWeights(bytes: Uint8Array): Weights {
  return Object.fromEntries(decodeSafetensors(bytes).map(({ name, shape, data }) => [name, tf.tensor(data, shape, "float32")]));
}

/**
 * Checks that bytes hold exactly the parameters of a model, all finite, and returns their global L2 norm.
 * Throws with the parameter's name otherwise.
 */
export function checkParameters(bytes: Uint8Array, config: ModelConfig): number {
  const tensors = decodeSafetensors(bytes);
  const expected = weightShapes(config);
  if (tensors.length !== expected.length) throw new Error(`expected ${expected.length} tensors, got ${tensors.length}`);
  let sum = 0;
  for (const [index, [name, shape]] of expected.entries()) {
    const tensor = tensors[index]!;
    if (tensor.name !== name || tensor.shape.join() !== shape.join()) {
      throw new Error(`expected ${name} [${shape}], got ${tensor.name} [${tensor.shape}]`);
    }
    for (const value of tensor.data) sum += value * value;
    if (!Number.isFinite(sum)) throw new Error(`${name}: expected finite values, got others`);
  }
  return Math.sqrt(sum);
}
