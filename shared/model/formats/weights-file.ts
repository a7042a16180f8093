/**
 * Converts named tensors to safetensors parts and back. Bytes from outside are checked against the expected parameters before
 * they become tensors.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NetworkConfig } from "../../network-config.ts";
import { valuesInPlace } from "../../tensor/engine/values.ts";
import { splitByPart } from "./partition.ts";
import { decodeSafetensors, encodeSafetensors, type NamedArray } from "./safetensors.ts";
import type { ShapedName, Weights } from "../weights.ts";

/** Copies the values of tensors. */
export function arraysOf(weights: Weights): NamedArray[] {
  return Object.entries(weights).map(([name, tensor]) => ({ name, shape: tensor.shape, data: tensor.dataSync() as Float32Array }));
}

/** Returns views of the values of tensors. A view is valid only until the next tensor is created, because that may move wasm memory. */
export function viewsOf(weights: Weights): NamedArray[] {
  return Object.entries(weights).map(([name, tensor]) => ({ name, shape: tensor.shape, data: valuesInPlace(tensor) }));
}

/** Creates tensors from arrays. The caller disposes the tensors. */
export function tensorsOf(arrays: readonly NamedArray[]): Weights {
  return Object.fromEntries(arrays.map(({ name, shape, data }) => [name, tf.tensor(data, shape, "float32")]));
}

/** Encodes the parameters or a state of a model. Only one part is in memory at a time. */
export function* encodeParts(config: NetworkConfig, weights: Weights): Generator<Uint8Array<ArrayBuffer>> {
  for (const part of splitByPart(config, weights)) yield encodeSafetensors(viewsOf(part));
}

/** Decodes parts to tensors, which the caller disposes. `step` is in several parts but becomes one tensor. */
export function decodeParts(parts: readonly Uint8Array[]): Weights {
  const arrays = new Map(parts.flatMap((bytes) => decodeSafetensors(bytes)).map((array) => [array.name, array]));
  return tensorsOf([...arrays.values()]);
}

/**
 * Checks that the arrays are exactly the parameters of a part, with finite values. Returns the sum of squares. Throws an error
 * that names the parameter.
 */
export function checkPart(arrays: readonly NamedArray[], expected: readonly ShapedName[]): number {
  if (arrays.length !== expected.length) throw new Error(`expected ${expected.length} tensors, got ${arrays.length}`);
  let sum = 0;
  for (const [index, [name, shape]] of expected.entries()) {
    const array = arrays[index]!;
    if (array.name !== name || array.shape.join() !== shape.join())
      throw new Error(`expected ${name} [${shape}], got ${array.name} [${array.shape}]`);
    sum = addSquares(sum, array.data);
    if (!Number.isFinite(sum)) throw new Error(`${name}: expected finite values, got NaN or infinity`);
  }
  return sum;
}

/** A loop by index, because an iterator allocates an object per value. */
function addSquares(sum: number, values: Float32Array): number {
  for (let at = 0; at < values.length; at++) sum += values[at]! * values[at]!;
  return sum;
}
