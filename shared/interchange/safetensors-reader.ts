/**
 * Finds the tensors in imported safetensors files, by name. The reader checks headers but reads data only on request. It
 * compares every size with the size of the file before it allocates memory.
 */
import { z } from "zod";
import { headerLength, LENGTH_BYTES, readEntries } from "../model/formats/safetensors-header.ts";
import { readWhole, type ByteSource, type StoredTensor } from "./byte-source.ts";

/** Far above real headers: the largest supported model (64 layers) has 100 KB. */
const MAX_HEADER_BYTES = 4 * 1024 * 1024;
const MAX_INDEX_BYTES = 4 * 1024 * 1024;
const MAX_SHARDS = 1000;

/** The supported types, with the bytes of a value. */
const WIDTHS = { F32: 4, F16: 2, BF16: 2 } as const;
export type SafetensorsTensor = StoredTensor<keyof typeof WIDTHS>;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[\w.-]+\.safetensors$/)) });

/** Parses untrusted bytes as JSON. */
export function parseJson(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new Error(`${name}: expected JSON in UTF-8, got ${(error as Error).message}`, { cause: error });
  }
}

/** Returns the tensors of a file. Throws an error that names the tensor on holes, overlaps, trailing bytes and unknown types. */
export async function readSafetensors(source: ByteSource): Promise<Map<string, SafetensorsTensor>> {
  const { name: file, size } = source;
  const most = Math.min(MAX_HEADER_BYTES, size - LENGTH_BYTES);
  const headerBytes = headerLength(file, await source.read(0, Math.min(size, LENGTH_BYTES)), most);
  const dataStart = LENGTH_BYTES + headerBytes;
  const entries = readEntries(file, await source.read(LENGTH_BYTES, dataStart), size - dataStart, WIDTHS);
  return new Map(
    entries.map(({ name, dtype, shape, begin, end }) => [
      name,
      { source, type: dtype, shape, start: dataStart + begin, end: dataStart + end },
    ]),
  );
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
