/**
 * Converts weights between float32 and the number types of other runtimes, one parameter at a time.
 *
 * float16 and bfloat16 round to nearest even. Q8_0 and Q4_0 are ggml's: 32 values share a float16 scale. Their arithmetic
 * follows ggml's reference quantizer (ggml/src/ggml-quants.c), so equal weights give equal files.
 */
export const NUMBER_TYPES = {
  F32: { block: 1, bytes: 4 },
  F16: { block: 1, bytes: 2 },
  BF16: { block: 1, bytes: 2 },
  Q8_0: { block: 32, bytes: 34 },
  Q4_0: { block: 32, bytes: 18 },
} as const;
export type NumberType = keyof typeof NUMBER_TYPES;

const MAX_FLOAT16 = 65_504;
const Q8_MAX = 127;
const Q4_MIN = -8;
const Q4_MAX = 15;

/** The size in bytes of `values` numbers. Throws if they do not fill whole blocks. */
export function bytesOfType(type: NumberType, values: number): number {
  const { block, bytes } = NUMBER_TYPES[type];
  if (values % block !== 0) throw new Error(`${type}: expected a multiple of ${block} values, got ${values}`);
  return (values / block) * bytes;
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Converts a number to float16 bits, rounded to nearest even. Keeps the sign of zero. */
function float16Bits(value: number): number {
  scratch[0] = value;
  const word = scratchBits[0]!;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude < 0x38800000) {
    // A subnormal float16 number. Adding 0.5 makes the float32 hardware round at the right bit.
    scratch[0] = Math.abs(scratch[0]) + 0.5;
    return sign | (scratchBits[0]! - 0x3f000000);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Converts float16 bits to a number, exactly. */
function float16Value(bits: number): number {
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Writes float16 numbers. Throws above float16's range, because such a number would become infinite. */
function writeFloat16(values: Float32Array, view: DataView): void {
  for (let at = 0; at < values.length; at++) {
    const bits = float16Bits(values[at]!);
    if ((bits & 0x7c00) === 0x7c00) throw new Error(`F16: expected numbers up to ${MAX_FLOAT16}, got ${values[at]}: choose F32 or BF16`);
    view.setUint16(2 * at, bits, true);
  }
}

function writeBfloat16(values: Float32Array, view: DataView): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let at = 0; at < words.length; at++) view.setUint16(2 * at, (words[at]! + 0x7fff + ((words[at]! >>> 16) & 1)) >>> 16, true);
}

/** Rounds like C's roundf: halves away from zero. */
const roundHalfAway = (value: number) => Math.sign(value) * Math.floor(Math.abs(value) + 0.5);

function writeQ8(values: Float32Array, view: DataView): void {
  for (let first = 0, at = 0; first < values.length; first += 32, at += 34) {
    let top = 0;
    for (let index = first; index < first + 32; index++) top = Math.max(top, Math.abs(values[index]!));
    const scale = Math.fround(top / Q8_MAX);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    view.setUint16(at, float16Bits(scale), true);
    for (let index = 0; index < 32; index++) view.setInt8(at + 2 + index, roundHalfAway(Math.fround(values[first + index]! * inverse)));
  }
}

function writeQ4(values: Float32Array, view: DataView): void {
  for (let first = 0, at = 0; first < values.length; first += 32, at += 18) {
    let top = 0;
    for (let index = first; index < first + 32; index++) if (Math.abs(values[index]!) > Math.abs(top)) top = values[index]!;
    const scale = Math.fround(top / Q4_MIN);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const digit = (index: number) => Math.min(Q4_MAX, Math.trunc(Math.fround(Math.fround(values[index]! * inverse) + 8.5)));
    view.setUint16(at, float16Bits(scale), true);
    for (let index = 0; index < 16; index++) view.setUint8(at + 2 + index, digit(first + index) | (digit(first + 16 + index) << 4));
  }
}

/**
 * Rounds a matrix to int8 with one scale per row, so that `scale * digit` is nearest to each value. Halves round away from zero,
 * and -128 is not used. `scales` [rows] and `digits` [rows * columns] receive the result.
 */
export function toInt8Rows(values: Float32Array, scales: Float32Array, digits: Int8Array): void {
  const columns = values.length / scales.length;
  for (let row = 0; row < scales.length; row++) {
    const [first, end] = [row * columns, (row + 1) * columns];
    let top = 0;
    for (let at = first; at < end; at++) top = Math.max(top, Math.abs(values[at]!));
    const scale = Math.fround(top / Q8_MAX);
    const inverse = scale === 0 ? 0 : 1 / scale;
    scales[row] = scale;
    // A subnormal scale is inexact, so a quotient may be above the range.
    for (let at = first; at < end; at++) digits[at] = Math.max(-Q8_MAX, Math.min(Q8_MAX, roundHalfAway(values[at]! * inverse)));
  }
}

const WRITERS = { F16: writeFloat16, BF16: writeBfloat16, Q8_0: writeQ8, Q4_0: writeQ4 } as const;

/** Encodes values. F32 returns a view of `values`; other types write to `room`, which must be large enough. */
export function toType(
  type: NumberType,
  values: Float32Array<ArrayBuffer>,
  room = new ArrayBuffer(bytesOfType(type, values.length)),
): Uint8Array<ArrayBuffer> {
  if (type === "F32") return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const size = bytesOfType(type, values.length);
  WRITERS[type](values, new DataView(room, 0, size));
  return new Uint8Array(room, 0, size);
}

/** Decodes bytes to new float32 values. This is exact, because float32 contains all numbers of the other types. */
export function fromType(type: NumberType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const { block, bytes: blockBytes } = NUMBER_TYPES[type];
  if (bytes.byteLength % blockBytes !== 0) throw new Error(`${type}: expected a multiple of ${blockBytes} bytes, got ${bytes.byteLength}`);
  const values = new Float32Array((bytes.byteLength / blockBytes) * block);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === "F32") new Uint8Array(values.buffer).set(bytes);
  else if (type === "F16") for (let at = 0; at < values.length; at++) values[at] = float16Value(view.getUint16(2 * at, true));
  else if (type === "BF16") {
    const words = new Uint32Array(values.buffer);
    for (let at = 0; at < values.length; at++) words[at] = view.getUint16(2 * at, true) << 16;
  } else {
    for (let at = 0, first = 0; at < bytes.byteLength; at += blockBytes, first += block) {
      const scale = float16Value(view.getUint16(at, true));
      for (let index = 0; index < 32; index++) {
        const nibbles = bytes[at + 2 + (index % 16)]!;
        const digit = type === "Q8_0" ? view.getInt8(at + 2 + index) : (index < 16 ? nibbles & 15 : nibbles >>> 4) + Q4_MIN;
        values[first + index] = scale * digit;
      }
    }
  }
  return values;
}
