/**
 * Finds the tensors in imported safetensors files, by name. The reader checks headers but reads data only on request. It
 * compares every size with the size of the file before it allocates memory.
 */
import { z } from "zod";
import { readWhole, type ByteSource, type StoredTensor } from "./byte-source.ts";
import { bytesOfType } from "./number-types.ts";

/** Far above real headers: the largest supported model (64 layers) has 100 KB. */
const MAX_HEADER_BYTES = 4 * 1024 * 1024;
const MAX_INDEX_BYTES = 4 * 1024 * 1024;
const MAX_SHARDS = 1000;

const TYPES = ["F32", "F16", "BF16"] as const;
export type SafetensorsTensor = StoredTensor<(typeof TYPES)[number]>;

const entrySchema = z.object({
  dtype: z.enum(TYPES),
  shape: z.array(z.int().nonnegative()).max(8),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[\w.-]+\.safetensors$/)) });

/** Parses untrusted bytes as JSON. */
export function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new Error(`${name}: expected JSON in UTF-8, got ${(error as Error).message}`, { cause: error });
  }
}

async function readHeader(source: ByteSource): Promise<{ header: object; dataStart: number }> {
  const { name, size } = source;
  if (size < 8) throw new Error(`${name}: expected at least 8 bytes, got ${size}`);
  const length = await source.read(0, 8);
  const headerBytes = Number(new DataView(length.buffer, length.byteOffset).getBigUint64(0, true));
  if (headerBytes > MAX_HEADER_BYTES || headerBytes > size - 8)
    throw new Error(`${name}: expected a header of at most ${Math.min(MAX_HEADER_BYTES, size - 8)} bytes, got ${headerBytes}`);
  const header = parseJson(name, await source.read(8, 8 + headerBytes));
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw new Error(`${name}: expected the header to be a JSON object, got another value`);
  return { header, dataStart: 8 + headerBytes };
}

/** Returns the tensors of a file. Throws an error that names the tensor on holes, overlaps, trailing bytes and unknown types. */
export async function readSafetensors(source: ByteSource): Promise<Map<string, SafetensorsTensor>> {
  const { header, dataStart } = await readHeader(source);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => {
      const parsed = entrySchema.safeParse(value);
      if (!parsed.success) throw new Error(`${source.name}: ${name}: ${z.prettifyError(parsed.error)}`);
      const { dtype, shape, data_offsets } = parsed.data;
      return { name, dtype, shape, data_offsets };
    })
    .toSorted((a, b) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1]);
  const tensors = new Map<string, SafetensorsTensor>();
  const dataBytes = source.size - dataStart;
  let position = 0;
  for (const {
    name,
    dtype,
    shape,
    data_offsets: [begin, end],
  } of entries) {
    const size = shape.reduce((product, axis) => product * axis, 1);
    if (begin !== position)
      throw new Error(`${source.name}: ${name}: expected data to begin at ${position}, got ${begin} (hole or overlap)`);
    if (!Number.isSafeInteger(size) || end - begin !== bytesOfType(dtype, size))
      throw new Error(`${source.name}: ${name}: expected ${size} values of ${dtype} for [${shape}], got ${end - begin} bytes`);
    if (end > dataBytes) throw new Error(`${source.name}: ${name}: expected data to end by ${dataBytes}, got ${end}`);
    tensors.set(name, { source, type: dtype, shape, start: dataStart + begin, end: dataStart + end });
    position = end;
  }
  if (position !== dataBytes) throw new Error(`${source.name}: expected ${position} bytes of data, got ${dataBytes} (trailing bytes)`);
  return tensors;
}

/** Returns the tensors of a folder: from `model.safetensors`, or from the files in its index. `open` returns null for a missing file. */
export async function readSafetensorsFolder(open: (path: string) => Promise<ByteSource | null>): Promise<Map<string, SafetensorsTensor>> {
  const index = await open("model.safetensors.index.json");
  if (index === null) {
    const single = await open("model.safetensors");
    if (single === null) throw new Error("folder: expected model.safetensors or model.safetensors.index.json, found neither");
    return readSafetensors(single);
  }
  const parsed = indexSchema.safeParse(parseJson(index.name, await readWhole(index, MAX_INDEX_BYTES)));
  if (!parsed.success) throw new Error(`${index.name}: ${z.prettifyError(parsed.error)}`);
  const wanted = Object.entries(parsed.data.weight_map);
  const paths = [...new Set(wanted.map(([, path]) => path))];
  if (paths.length > MAX_SHARDS) throw new Error(`${index.name}: weight_map: expected at most ${MAX_SHARDS} files, got ${paths.length}`);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const path of paths) {
    const shard = await open(path);
    if (shard === null) throw new Error(`${index.name}: weight_map: expected a file ${path}, found none`);
    for (const [name, tensor] of await readSafetensors(shard)) {
      if (parsed.data.weight_map[name] !== path)
        throw new Error(
          `${path}: ${name}: expected this tensor in ${parsed.data.weight_map[name] ?? "no file"}, as the index says, got it in ${path}`,
        );
      tensors.set(name, tensor);
    }
  }
  for (const [name, path] of wanted)
    if (!tensors.has(name)) throw new Error(`${index.name}: ${name}: expected this tensor in ${path}, found none`);
  return tensors;
}
