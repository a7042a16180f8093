/**
 * The header of a safetensors file (github.com/huggingface/safetensors), read without trust: sizes are checked before anything
 * is allocated, and overlaps, holes, duplicates and trailing bytes are refused by name. Checks by hand, because browsers read
 * weights with this code, too, and a schema library would be larger than all else of it.
 */

/** The first bytes of a file: the length of its header. */
export const LENGTH_BYTES = 8;

export interface TensorEntry<Dtype extends string> {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Bytes after the header. */
  begin: number;
  end: number;
}

/** The bytes of the header, as the file's first bytes say. Throws above `most`. */
export function headerLength(file: string, start: Uint8Array, most: number): number {
  if (start.byteLength < LENGTH_BYTES) throw new Error(`${file}: expected at least ${LENGTH_BYTES} bytes, got ${start.byteLength}`);
  const bytes = Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
  if (bytes > most) throw new Error(`${file}: expected a header of at most ${most} bytes, got ${bytes}`);
  return bytes;
}

const isSize = (value: unknown): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
const isSizes = (value: unknown): value is number[] => Array.isArray(value) && value.length <= 8 && value.every(isSize);

function parse(file: string, bytes: Uint8Array): [string, unknown][] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new Error(`${file}: expected a header of UTF-8 JSON, got ${String(error)}`, { cause: error });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error(`${file}: expected the header to be a JSON object, got another value`);
  return Object.entries(json);
}

/** The tensors of a file by their place in it. `widths` has the bytes of a value of each type that is taken. */
export function readEntries<Dtype extends string>(
  file: string,
  header: Uint8Array,
  dataBytes: number,
  widths: Readonly<Record<Dtype, number>>,
): TensorEntry<Dtype>[] {
  const isKnown = (dtype: unknown): dtype is Dtype => typeof dtype === "string" && Object.hasOwn(widths, dtype);
  const entries = parse(file, header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => {
      const fail = (field: string, expected: string, got: unknown): never => {
        throw new Error(`${file}: ${name}: ${field}: expected ${expected}, got ${(JSON.stringify(got) ?? "nothing").slice(0, 100)}`);
      };
      const fields: Record<string, unknown> =
        typeof value === "object" && value !== null ? { ...value } : fail("entry", "an object", value);
      const { dtype, shape, data_offsets: offsets } = fields;
      if (!isKnown(dtype)) return fail("dtype", `one of ${Object.keys(widths).join(", ")}`, dtype);
      if (!isSizes(shape)) return fail("shape", "up to 8 sizes", shape);
      if (!isSizes(offsets) || offsets.length !== 2) return fail("data_offsets", "two places", offsets);
      return { name, dtype, shape, begin: offsets[0]!, end: offsets[1]! };
    })
    .toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  // JSON.parse keeps the last of two equal keys, which then leaves a hole in the data: refused here.
  let position = 0;
  for (const { name, dtype, shape, begin, end } of entries) {
    const bytes = shape.reduce((product, axis) => product * axis, widths[dtype]);
    if (begin !== position) throw new Error(`${file}: ${name}: expected data to begin at ${position}, got ${begin} (hole or overlap)`);
    if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
      throw new Error(`${file}: ${name}: expected ${bytes} bytes for ${dtype} [${shape}], got ${end - begin}`);
    if (end > dataBytes) throw new Error(`${file}: ${name}: expected data to end by ${dataBytes}, got ${end}`);
    position = end;
  }
  if (position !== dataBytes) throw new Error(`${file}: expected ${position} bytes of data, got ${dataBytes} (trailing bytes)`);
  return entries;
}
