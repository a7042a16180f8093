/**
 * Reads and writes safetensors (github.com/huggingface/safetensors) with float32, bfloat16 and int8. A file has eight bytes of
 * header length, a JSON header, and the tensors without gaps. Equal tensors give equal bytes. The reader treats the file as
 * untrusted (safetensors-header.ts).
 */
import { headerLength, LENGTH_BYTES, readEntries } from "./safetensors-header.ts";

/** The limit of the reference implementation. */
const MAX_HEADER_BYTES = 100_000_000;
const ALIGNMENT = 8;

/** Values as stored in the file. A Uint16Array holds bfloat16: the upper halves of float32 numbers. */
export type Values = Float32Array | Uint16Array | Int8Array;
export interface NamedArray<V extends Values = Float32Array> {
  name: string;
  shape: number[];
  data: V;
}

const ARRAYS = { F32: Float32Array, BF16: Uint16Array, I8: Int8Array } as const;
type Dtype = keyof typeof ARRAYS;

/** The number of values in a tensor of this shape. */
export const sizeOf = (shape: readonly number[]) => shape.reduce((product, axis) => product * axis, 1);

function dtypeOf(data: Values): Dtype {
  if (data instanceof Float32Array) return "F32";
  return data instanceof Uint16Array ? "BF16" : "I8";
}

/** Returns the header of a file with these tensors, and the file's size. `metadata` becomes `__metadata__`. Throws on a duplicate name. */
export function encodeHeader(
  tensors: readonly { name: string; shape: readonly number[]; dtype: Dtype }[],
  metadata?: Readonly<Record<string, string>>,
): { header: Uint8Array; size: number } {
  // Without a prototype, because a tensor may be named `constructor`.
  const entries = Object.create(null) as Record<string, unknown>;
  if (metadata !== undefined) entries["__metadata__"] = metadata;
  let offset = 0;
  for (const { name, shape, dtype } of tensors) {
    if (name in entries) throw new Error(`safetensors: expected distinct names, got ${name} twice`);
    const end = offset + sizeOf(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT;
    entries[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(entries);
  const json = new TextEncoder().encode(
    text.padEnd(text.length + ((ALIGNMENT - (new TextEncoder().encode(text).length % ALIGNMENT)) % ALIGNMENT)),
  );
  const header = new Uint8Array(8 + json.length);
  new DataView(header.buffer).setBigUint64(0, BigInt(json.length), true);
  header.set(json, 8);
  return { header, size: header.length + offset };
}

/**
 * Encodes tensors in the given order, at the start of the buffer that `room` returns. Throws when a shape does not match its
 * data, and on a duplicate name.
 */
export function encodeSafetensors(
  tensors: readonly NamedArray<Values>[],
  room: (bytes: number) => ArrayBuffer = (bytes) => new ArrayBuffer(bytes),
): Uint8Array<ArrayBuffer> {
  for (const { name, shape, data } of tensors)
    if (sizeOf(shape) !== data.length)
      throw new Error(`safetensors: ${name}: expected ${sizeOf(shape)} values for [${shape}], got ${data.length}`);
  const { header, size } = encodeHeader(tensors.map(({ name, shape, data }) => ({ name, shape, dtype: dtypeOf(data) })));
  const bytes = new Uint8Array(room(size), 0, size);
  bytes.set(header);
  let position = header.length;
  for (const { data } of tensors) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

const WIDTHS = { F32: 4, BF16: 2, I8: 1 } as const satisfies Record<Dtype, number>;

/** Decodes float32 tensors in file order. The data are views of `bytes` if aligned, else copies. */
export function decodeSafetensors(bytes: Uint8Array): NamedArray[] {
  return decodeMixed(bytes).map(({ name, shape, data }) => {
    if (!(data instanceof Float32Array)) throw new Error(`safetensors: ${name}: expected dtype F32, got ${dtypeOf(data)}`);
    return { name, shape, data };
  });
}

/** Decodes tensors of all three number types. */
export function decodeMixed(bytes: Uint8Array): NamedArray<Values>[] {
  const headerBytes = headerLength("safetensors", bytes, Math.min(MAX_HEADER_BYTES, bytes.byteLength - LENGTH_BYTES));
  const data = bytes.subarray(LENGTH_BYTES + headerBytes);
  const header = bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + headerBytes);
  return readEntries("safetensors", header, data.byteLength, WIDTHS).map(({ name, dtype, shape, begin, end }) => {
    const ArrayType = ARRAYS[dtype];
    const start = data.byteOffset + begin;
    return {
      name,
      shape,
      data:
        start % WIDTHS[dtype] === 0
          ? new ArrayType(data.buffer as ArrayBuffer, start, (end - begin) / WIDTHS[dtype])
          : new ArrayType(data.slice(begin, end).buffer),
    };
  });
}
