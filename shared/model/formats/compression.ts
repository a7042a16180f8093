/**
 * Compresses updates to bfloat16 (half the bytes) or to int8 with one scale per row (a quarter). Rounding errors are kept and
 * added to the next update (error feedback, arXiv:1901.09847), so no change of a weight is lost.
 */
import type { TrainingConfig } from "../../config.ts";
import type { NamedArray, Values } from "./safetensors.ts";

export type Compression = TrainingConfig["compression"];

/** Suffixes of a parameter's name: the row scales of int8, and the kept rounding errors. */
const SCALE = "/scale";
export const RESIDUAL = "/residual";
const INT8_MAX = 127;

/** float32 -> bfloat16, round to nearest even. Finite values only. */
function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

function fromBfloat16(values: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(values, (half) => half << 16).buffer);
}

/** The length of a row: the last axis of a matrix. A vector is one row. */
const rowLength = (shape: readonly number[]) => Math.max(1, shape.at(-1) ?? 1);

/** values [rows, length] -> int8 values and scales [rows]; a row of zeros has scale 0 */
function toInt8(values: Float32Array, length: number): { data: Int8Array; scales: Float32Array } {
  const data = new Int8Array(values.length);
  const scales = new Float32Array(values.length / length);
  for (let row = 0; row < scales.length; row++) {
    const first = row * length;
    let top = 0;
    for (let index = first; index < first + length; index++) top = Math.max(top, Math.abs(values[index]!));
    scales[row] = top / INT8_MAX;
    // Division uses the scale rounded to float32, because the reader multiplies by that number.
    const scale = scales[row]!;
    if (scale === 0) continue;
    for (let index = first; index < first + length; index++) {
      data[index] = Math.max(-INT8_MAX, Math.min(INT8_MAX, Math.round(values[index]! / scale)));
    }
  }
  return { data, scales };
}

function fromInt8(data: Int8Array, scales: Float32Array, length: number): Float32Array {
  return Float32Array.from(data, (value, index) => value * scales[Math.floor(index / length)]!);
}

/**
 * Adds earlier rounding errors (`residuals`, by parameter name) to an update and compresses the sum. Returns the compressed
 * arrays and the new rounding errors. float32 passes unchanged, without rounding errors.
 */
export function compress(
  update: readonly NamedArray[],
  residuals: Readonly<Record<string, Float32Array>>,
  kind: Compression,
): { arrays: NamedArray<Values>[]; residuals: NamedArray[] } {
  if (kind === "float32") return { arrays: [...update], residuals: [] };
  const arrays: NamedArray<Values>[] = [];
  const left: NamedArray[] = [];
  for (const { name, shape, data } of update) {
    const before = residuals[name];
    const wanted = before === undefined ? data : data.map((value, index) => value + before[index]!);
    const length = rowLength(shape);
    let sent: Float32Array;
    if (kind === "bf16") {
      const halves = toBfloat16(wanted);
      arrays.push({ name, shape, data: halves });
      sent = fromBfloat16(halves);
    } else {
      const { data: bytes, scales } = toInt8(wanted, length);
      arrays.push({ name, shape, data: bytes }, { name: `${name}${SCALE}`, shape: [scales.length], data: scales });
      sent = fromInt8(bytes, scales, length);
    }
    left.push({ name: `${name}${RESIDUAL}`, shape, data: wanted.map((value, index) => value - sent[index]!) });
  }
  return { arrays, residuals: left };
}

/** Returns an update in float32, whatever its number format. Throws when int8 values lack their scales. */
export function expand(arrays: readonly NamedArray<Values>[]): NamedArray[] {
  const scales = new Map(arrays.filter(({ name }) => name.endsWith(SCALE)).map(({ name, data }) => [name, data]));
  return arrays
    .filter(({ name }) => !name.endsWith(SCALE))
    .map(({ name, shape, data }) => {
      if (data instanceof Float32Array) return { name, shape, data };
      if (data instanceof Uint16Array) return { name, shape, data: fromBfloat16(data) };
      const rows = scales.get(`${name}${SCALE}`);
      const length = rowLength(shape);
      if (!(rows instanceof Float32Array) || rows.length * length !== data.length)
        throw new Error(`${name}: expected ${data.length / length} float32 row scales, got ${rows?.length ?? "none"}`);
      return { name, shape, data: fromInt8(data, rows, length) };
    });
}
