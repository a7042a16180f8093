/**
 * Reads the header of a safetensors file (github.com/huggingface/safetensors) as untrusted: it checks sizes before it allocates,
 * and refuses overlaps, holes, duplicates and trailing bytes. The checks are written by hand, because the runtime for browsers
 * (shared/runtime) uses them and a schema library is larger than that runtime.
 */

/** The size of a file's first field, the length of its header. */
export const LENGTH_BYTES = 8;

export interface TensorEntry<Dtype extends string> {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** The place of the values, in bytes after the header. */
  begin: number;
  end: number;
}

/** Returns the length of the header in bytes. Throws above `most`. */
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

/**
 * Returns the tensors of a file, ordered by their place. `widths` has the bytes per value of each supported type. `dataBytes` is
 * the size of the file without its header; null if the size is unknown, which the caller then compares at the end of the data.
 */
export function readEntries<Dtype extends string>(
  file: string,
  header: Uint8Array,
  dataBytes: number | null,
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
  // JSON.parse keeps only the last of two equal keys. The data then have a hole, which the next check refuses.
  let position = 0;
  for (const { name, dtype, shape, begin, end } of entries) {
    const bytes = shape.reduce((product, axis) => product * axis, widths[dtype]);
    if (begin !== position) throw new Error(`${file}: ${name}: expected data to begin at ${position}, got ${begin} (hole or overlap)`);
    if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
      throw new Error(`${file}: ${name}: expected ${bytes} bytes for ${dtype} [${shape}], got ${end - begin}`);
    if (dataBytes !== null && end > dataBytes) throw new Error(`${file}: ${name}: expected data to end by ${dataBytes}, got ${end}`);
    position = end;
  }
  if (dataBytes !== null && position !== dataBytes)
    throw new Error(`${file}: expected ${position} bytes of data, got ${dataBytes} (trailing bytes)`);
  return entries;
}
