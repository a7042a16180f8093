/**
 * Bytes of a file from elsewhere, read where they are wanted: nothing holds the whole file. A reader that parses as it goes
 * takes a window at a time, so what a header claims costs nothing until it has been checked against the size of the file.
 */
export interface ByteSource {
  /** What errors call the file. */
  name: string;
  size: number;
  /** The bytes from `start` to before `end`, both within the size. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Bytes in memory as a source. */
export function sourceOfBytes(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.byteLength, read: async (start, end) => bytes.subarray(start, end) };
}

/** All bytes of a source that must be small. Throws when it is larger. */
export async function readWhole(source: ByteSource, maxBytes: number): Promise<Uint8Array> {
  if (source.size > maxBytes) throw new Error(`${source.name}: expected at most ${maxBytes} bytes, got ${source.size}`);
  return source.read(0, source.size);
}

/** A tensor of a file: where its bytes lie and how they are written. */
export interface StoredTensor<T extends string> {
  source: ByteSource;
  type: T;
  shape: readonly number[];
  start: number;
  end: number;
}
