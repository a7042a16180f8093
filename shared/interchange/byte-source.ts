/**
 * Random access to the bytes of an imported file, without holding the whole file. A parser reads a window at a time. It checks a
 * size from a header against the size of the file before it allocates memory.
 */
export interface ByteSource {
  /** The file's name in error messages. */
  name: string;
  size: number;
  /** Returns the bytes [start, end), which must be within the file. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** A source over bytes in memory. */
export function sourceOfBytes(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.byteLength, read: async (start, end) => bytes.subarray(start, end) };
}

/** Reads a small source completely. Throws if it is larger than `maxBytes`. */
export async function readWhole(source: ByteSource, maxBytes: number): Promise<Uint8Array> {
  if (source.size > maxBytes) throw new Error(`${source.name}: expected at most ${maxBytes} bytes, got ${source.size}`);
  return source.read(0, source.size);
}

/** A tensor in a file: its number type, its shape, and the position of its bytes. */
export interface StoredTensor<T extends string> {
  source: ByteSource;
  type: T;
  shape: readonly number[];
  start: number;
  end: number;
}
