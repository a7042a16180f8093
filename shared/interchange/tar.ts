/**
 * Streams files as a tar archive (POSIX.1-1988 ustar). The archive's size is known in advance. Times are zero, so equal files
 * give an equal archive.
 */
import { readRange, sizeOfFile, type OutputFile } from "./output-file.ts";

const BLOCK = 512;
const MAX_NAME_BYTES = 100;
/** The largest number with eleven octal digits. */
const MAX_SIZE = 8 ** 11 - 1;

const paddingOf = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");

function headerOf(path: string, size: number): Uint8Array {
  const name = new TextEncoder().encode(path);
  if (name.byteLength > MAX_NAME_BYTES || size > MAX_SIZE)
    throw new Error(`tar: expected a name of at most ${MAX_NAME_BYTES} bytes and less than 8 GiB, got ${path} of ${size} bytes`);
  const header = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => header.set(new TextEncoder().encode(text), at);
  header.set(name, 0);
  put(100, `${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0`);
  // The checksum counts its own field as spaces.
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\x0000");
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return header;
}

/** The size of the archive in bytes. */
export function sizeOfTar(files: readonly OutputFile[]): number {
  return files.map(sizeOfFile).reduce((total, size) => total + BLOCK + size + paddingOf(size), 2 * BLOCK);
}

/** Yields the bytes of the archive, with all files in `folder`. A chunk is valid until the next chunk is requested. */
export async function* readTar(folder: string, files: readonly OutputFile[]): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    const size = sizeOfFile(file);
    yield headerOf(`${folder}/${file.path}`, size);
    yield* readRange(file);
    const padding = paddingOf(size);
    if (padding > 0) yield new Uint8Array(padding);
  }
  yield new Uint8Array(2 * BLOCK);
}
