/**
 * Reads the files of a tar archive (POSIX.1-2001 pax, ustar, and GNU long names) while it arrives. Memory holds one file that the
 * caller wants; other files are skipped.
 */
import { ChunkReader } from "../../../shared/bytes/chunk-reader.ts";

const BLOCK = 512;
/** The largest header that is read: long names and pax records. */
const MAX_HEADER_BYTES = 64 * 1024;

export interface TarFile {
  path: string;
  size: number;
  /** Null for a file that the caller does not want. */
  bytes: Uint8Array | null;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
const paddingOf = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

/** `wants` decides by path and size whether a file's bytes are read. */
export async function* readTarFiles(
  chunks: AsyncIterable<Uint8Array>,
  wants: (path: string, size: number) => boolean,
): AsyncGenerator<TarFile> {
  const reader = new ChunkReader(chunks, "tar");
  let longPath: string | null = null;
  try {
    for (;;) {
      const header = await reader.exactly(BLOCK);
      if (header[0] === 0) return;
      const size = sizeOf(header.subarray(124, 136));
      if (size === null) throw new Error("tar: expected a header, got other bytes");
      const type = String.fromCharCode(header[156]!);
      if (type === "x" || type === "L") {
        if (size > MAX_HEADER_BYTES) throw new Error(`tar: expected a header of at most ${MAX_HEADER_BYTES} bytes, got ${size}`);
        const record = new TextDecoder().decode(await reader.exactly(size));
        longPath = type === "L" ? record.replace(/\0.*$/s, "") : (/(?:^|\n)\d+ path=([^\n]*)\n/.exec(record)?.[1] ?? longPath);
        await reader.skip(paddingOf(size));
        continue;
      }
      const isUstar = text(header.subarray(257, 262)) === "ustar";
      const prefix = isUstar ? text(header.subarray(345, 500)) : "";
      const name = text(header.subarray(0, 100));
      const path = longPath ?? (prefix === "" ? name : `${prefix}/${name}`);
      const isFile = type === "0" || type === "\0";
      if (isFile) {
        const bytes = wants(path, size) ? await reader.exactly(size) : null;
        if (bytes === null) await reader.skip(size);
        yield { path, size, bytes };
      } else await reader.skip(size);
      await reader.skip(paddingOf(size));
      if (type !== "g") longPath = null;
    }
  } finally {
    await reader.cancel();
  }
}

/** Octal digits, or the base-256 of GNU tar for large files. Null if the field is neither. */
function sizeOf(field: Uint8Array): number | null {
  if ((field[0]! & 0x80) !== 0) return field.subarray(4).reduce((value, byte) => value * 256 + byte, 0);
  const digits = text(field).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || "0", 8) : null;
}
