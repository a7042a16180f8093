/**
 * Writes the files of a tar stream (ustar, as shared/interchange/tar.ts makes it) while the stream arrives, so no file has to
 * fit in memory.
 */
import { once } from "node:events";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import { finished } from "node:stream/promises";

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

/** Reads any number of bytes from a stream of chunks. */
class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Up to `most` bytes, at least one. Throws at the end of the stream. */
  async some(most: number): Promise<Uint8Array> {
    while (this.#rest.byteLength === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) throw new Error("tar: expected the end of the archive, but the stream ended early");
      this.#rest = next.value;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.byteLength);
    return taken;
  }

  async exactly(bytes: number): Promise<Uint8Array> {
    const all = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      const part = await this.some(bytes - at);
      all.set(part, at);
      at += part.byteLength;
    }
    return all;
  }
}

/** Writes all files below `folder` and returns their paths. Refuses an entry whose path leads out of the folder. */
export async function untar(stream: AsyncIterable<Uint8Array>, folder: string): Promise<string[]> {
  const reader = new ChunkReader(stream);
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
