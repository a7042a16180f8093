/**
 * Writes the files of a tar stream (ustar, as shared/interchange/tar.ts makes it) while the stream arrives, so no file has to
 * fit in memory.
 */
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { finished } from "node:stream/promises";
import { ChunkReader } from "../../shared/bytes/chunk-reader.ts";

const BLOCK = 512;

interface Entry {
  path: string;
  size: number;
}

function entryOf(header: Uint8Array): Entry | null {
  const text = (at: number, length: number) => new TextDecoder().decode(header.subarray(at, at + length)).replace(/\0.*$/s, "");
  if (header[0] === 0) return null;
  const [path, size] = [text(0, 100), Number.parseInt(text(124, 12), 8)];
  if (text(257, 5) !== "ustar" || !Number.isSafeInteger(size))
    throw new Error(`tar: expected a ustar header, got one of ${path || "no name"}`);
  return { path, size };
}

/** Writes all files below `folder` and returns their paths. Refuses an entry whose path leads out of the folder. */
export async function untar(stream: AsyncIterable<Uint8Array>, folder: string): Promise<string[]> {
  const reader = new ChunkReader(stream, "tar");
  const paths: string[] = [];
  for (;;) {
    const entry = entryOf(await reader.exactly(BLOCK));
    if (entry === null) return paths;
    const path = resolve(join(folder, entry.path));
    if (!path.startsWith(resolve(folder) + sep)) throw new Error(`tar: expected paths within the folder, got ${entry.path}`);
    mkdirSync(dirname(path), { recursive: true });
    const file = createWriteStream(path);
    for (let left = entry.size; left > 0;) {
      const part = await reader.some(left);
      left -= part.byteLength;
      if (!file.write(part)) await once(file, "drain");
    }
    file.end();
    await finished(file);
    await reader.exactly((BLOCK - (entry.size % BLOCK)) % BLOCK);
    paths.push(path);
  }
}
