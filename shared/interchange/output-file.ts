/**
 * A file that is generated while it is read. It consists of pieces of known size, and a piece is made only when the reader
 * reaches it. Therefore the file's size is known in advance, a range makes only the pieces that it overlaps, and memory holds
 * one piece. The bytes of a piece are valid until the next piece is made.
 */
export type Piece = Uint8Array | { size: number; make(): Promise<Uint8Array> };

export interface OutputFile {
  path: string;
  pieces: readonly Piece[];
}

/** Largest chunk for readers. Data that leaves a Worker is copied, and a copy of a whole piece would double its memory. */
const MAX_CHUNK_BYTES = 256 * 1024;

const sizeOfPiece = (piece: Piece) => (piece instanceof Uint8Array ? piece.byteLength : piece.size);

/** The size of a file in bytes. */
export function sizeOfFile(file: OutputFile): number {
  return file.pieces.reduce((sum, piece) => sum + sizeOfPiece(piece), 0);
}

/** Makes a file from a text. */
export function textFile(path: string, text: string): OutputFile {
  return { path, pieces: [new TextEncoder().encode(text)] };
}

/** Yields the bytes [start, end). A chunk is valid until the next chunk is requested. */
export async function* readRange(file: OutputFile, start = 0, end = sizeOfFile(file)): AsyncGenerator<Uint8Array> {
  let offset = 0;
  for (const piece of file.pieces) {
    const size = sizeOfPiece(piece);
    const [from, to] = [Math.max(start - offset, 0), Math.min(end - offset, size)];
    offset += size;
    if (from >= to) continue;
    const bytes = piece instanceof Uint8Array ? piece : await piece.make();
    if (bytes.byteLength !== size) throw new Error(`${file.path}: expected a piece of ${size} bytes, got ${bytes.byteLength}`);
    for (let at = from; at < to; at += MAX_CHUNK_BYTES) yield bytes.subarray(at, Math.min(at + MAX_CHUNK_BYTES, to));
  }
}

/** Returns all bytes of a small file. */
export async function bytesOfFile(file: OutputFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeOfFile(file));
  let at = 0;
  for await (const chunk of readRange(file)) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** The bytes of a file that are known without reading weights. Together with the checkpoint's hash they determine the whole file. */
export function knownBytes(file: OutputFile): Uint8Array[] {
  return file.pieces.filter((piece) => piece instanceof Uint8Array);
}

/** True if the whole file is known without reading weights. */
export const isKnown = (file: OutputFile): boolean => file.pieces.every((piece) => piece instanceof Uint8Array);
