/**
 * Reads a part of a model into wasm memory while it arrives. A part is as large as its largest parameter, and the first touch of
 * fresh memory is what loading a model takes longest for: so a part never lies in memory twice.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Hash } from "../../artifacts.ts";
import { getObjectInChunks } from "../../store.ts";
import { unwrittenTensor, valuesInPlace } from "../../tensor/engine/values.ts";
import type { ShapedName, Weights } from "../weights.ts";
import { headerLength, LENGTH_BYTES, readEntries, type TensorEntry } from "./safetensors-header.ts";
import { checkPart, viewsOf } from "./weights-file.ts";

/** The tensors' places in a part, in bytes from its beginning. The header must lie in the first chunk. Errors begin with `name`. */
function placesOf(name: string, chunk: Uint8Array, size: number): TensorEntry<"F32">[] {
  const start = LENGTH_BYTES + headerLength(name, chunk, chunk.length - LENGTH_BYTES);
  const entries = readEntries(name, chunk.subarray(LENGTH_BYTES, start), size - start, { F32: 4 });
  for (const entry of entries) {
    entry.begin += start;
    entry.end += start;
  }
  return entries;
}

/** Writes the bytes of a chunk that belong to a tensor. A new view for each chunk, because wasm memory may have moved. */
function place(chunk: Uint8Array, at: number, { begin, end }: TensorEntry<"F32">, tensor: tf.Tensor): void {
  const [from, to] = [Math.max(at, begin), Math.min(at + chunk.length, end)];
  if (from >= to) return;
  const { buffer, byteOffset } = valuesInPlace(tensor);
  new Uint8Array(buffer, byteOffset + from - begin, to - from).set(chunk.subarray(from - at, to - at));
}

/**
 * The tensors of a part, which the caller disposes, and `buffer` for the next part. Throws if the object is missing or does not
 * have exactly these parameters with finite values; then all tensors are disposed.
 */
export async function readPart(
  bucket: R2Bucket,
  hash: Hash,
  part: readonly ShapedName[],
  buffer: ArrayBuffer,
): Promise<{ weights: Weights; buffer: ArrayBuffer }> {
  let entries: TensorEntry<"F32">[] = [];
  let tensors: tf.Tensor[] = [];
  try {
    const rest = await getObjectInChunks(bucket, "part", hash, buffer, (chunk, at, size) => {
      if (at === 0) {
        tf.dispose(tensors);
        tensors = [];
        entries = placesOf(`part ${hash}`, chunk, size);
        tensors = entries.map(({ shape }) => unwrittenTensor(shape));
      }
      for (const [index, entry] of entries.entries()) place(chunk, at, entry, tensors[index]!);
    });
    const weights = Object.fromEntries(entries.map(({ name }, index) => [name, tensors[index]!]));
    checkPart(viewsOf(weights), part);
    return { weights, buffer: rest };
  } catch (error) {
    tf.dispose(tensors);
    throw error;
  }
}
