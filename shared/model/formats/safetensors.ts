/**
 * Reads and writes safetensors (github.com/huggingface/safetensors) with float32, bfloat16 and int8. A file has eight bytes of
 * header length, a JSON header, and the tensors without gaps. Equal tensors give equal bytes. The reader treats the file as
 * untrusted: it checks sizes before it allocates, and refuses overlaps, holes, duplicates and trailing bytes.
 */
import { z } from "zod";

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

const entrySchema = z.object({
  dtype: z.enum(["F32", "BF16", "I8"]),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

function fail(what: string): never {
  throw new Error(`safetensors: ${what}`);
}

/** Parses the header, which is untrusted JSON. */
function parseHeader(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    return fail(`expected a header of UTF-8 JSON, got ${String(error)}`);
  }
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

/** Decodes float32 tensors in file order. The data are views of `bytes` if aligned, else copies. */
export function decodeSafetensors(bytes: Uint8Array): NamedArray[] {
  return decodeMixed(bytes).map(({ name, shape, data }) => {
    if (!(data instanceof Float32Array)) return fail(`${name}: expected dtype F32, got ${dtypeOf(data)}`);
    return { name, shape, data };
  });
}

/** Decodes tensors of all three number types. */
export function decodeMixed(bytes: Uint8Array): NamedArray<Values>[] {
  if (bytes.byteLength < 8) fail(`expected at least 8 bytes, got ${bytes.byteLength}`);
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > bytes.byteLength - 8)
    fail(`expected a header of at most ${bytes.byteLength - 8} bytes, got ${headerBytes}`);
  const header = parseHeader(bytes.subarray(8, 8 + headerBytes));
  if (typeof header !== "object" || header === null || Array.isArray(header)) return fail("expected the header to be a JSON object");
  const dataBytes = bytes.byteLength - 8 - headerBytes;
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => {
      const parsed = entrySchema.safeParse(value);
      if (!parsed.success) return fail(`${name}: ${z.prettifyError(parsed.error)}`);
      const { shape, dtype, data_offsets } = parsed.data;
      return { name, shape, dtype, data_offsets };
    })
    .toSorted((a, b) => a.data_offsets[0] - b.data_offsets[0]);
  // JSON.parse keeps only the last of two equal keys. The data then have a hole, which the next check refuses.
  let position = 0;
  const tensors: NamedArray<Values>[] = [];
  for (const { name, shape, dtype, data_offsets: offsets } of entries) {
    const ArrayType = ARRAYS[dtype];
    const width = ArrayType.BYTES_PER_ELEMENT;
    const [begin, end] = offsets;
    const size = sizeOf(shape);
    if (begin !== position) fail(`${name}: expected data to begin at ${position}, got ${begin} (hole or overlap)`);
    if (!Number.isSafeInteger(size) || end - begin !== size * width)
      fail(`${name}: expected ${size * width} bytes for [${shape}], got ${end - begin}`);
    if (end > dataBytes) fail(`${name}: expected data to end by ${dataBytes}, got ${end}`);
    const start = bytes.byteOffset + 8 + headerBytes + begin;
    const data =
      start % width === 0
        ? new ArrayType(bytes.buffer as ArrayBuffer, start, size)
        : new ArrayType(bytes.slice(start - bytes.byteOffset, start - bytes.byteOffset + size * width).buffer);
    tensors.push({ name, shape, data });
    position = end;
  }
  if (position !== dataBytes) fail(`expected ${position} bytes of data, got ${dataBytes} (trailing bytes)`);
  return tensors;
}
