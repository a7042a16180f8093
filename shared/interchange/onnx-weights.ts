/**
 * Writes the weights of an ONNX file. Each weight is a field of the file's graph, and is made only when the file's reader reaches
 * it.
 */
import type { OnnxType } from "./formats.ts";
import { toInt8Rows } from "./number-types.ts";
import { initializerHead } from "./onnx-format.ts";
import type { Piece } from "./output-file.ts";
import { parameterPieces, type PublishedModel } from "./published-model.ts";

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** The name of the scales, one per row, of an int8 matrix. */
export const scaleName = (weight: string): string => `${weight}_scale`;

/** Returns the fields of all weights in storage order, so that each part of the model is read once. */
export function weightFields(model: Pick<PublishedModel, "config" | "parameters">, type: OnnxType): Piece[] {
  // All matrices share one buffer, because dropped buffers fill memory until the next garbage collection.
  let room = new ArrayBuffer(0);
  return parameterPieces(model, () => "F32").flatMap(({ name, shape, piece }): Piece[] => {
    const [rows = 1, columns] = shape;
    const values = rows * (columns ?? 1);
    if (type === "F32" || columns === undefined) return [initializerHead(name, shape, "float", values * FLOAT_BYTES), piece];
    const scaleBytes = rows * FLOAT_BYTES;
    const head = initializerHead(name, shape, "int8", values);
    const size = scaleBytes + head.byteLength + values;
    // Scales and digits are one piece, because one pass over the values makes both.
    const make = async () => {
      const read = await model.parameters.read(name);
      if (room.byteLength < size) room = new ArrayBuffer(size);
      toInt8Rows(read, new Float32Array(room, 0, rows), new Int8Array(room, scaleBytes + head.byteLength, values));
      const bytes = new Uint8Array(room, 0, size);
      bytes.set(head, scaleBytes);
      return bytes;
    };
    return [initializerHead(scaleName(name), [rows], "float", scaleBytes), { size, make }];
  });
}
