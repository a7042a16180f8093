/**
 * A file that is made while it is read: pieces of known size, each made when its turn comes. So the size is known before a
 * byte is made, a range costs no more than the pieces that it touches, and one piece at a time is in memory: what is made is
 * valid until the next piece is.
 */
export type Piece = Uint8Array | { size: number; make(): Promise<Uint8Array> };

export interface OutputFile {
  path: string;
  pieces: readonly Piece[];
}

/** Readers get no larger chunk: what crosses a Worker's border is copied, and the copy of a whole piece would count twice. */
const MAX_CHUNK_BYTES = 256 * 1024;

const sizeOfPiece = (piece: Piece) => (piece instanceof Uint8Array ? piece.byteLength : piece.size);

/** Bytes of a file. */
export function sizeOfFile(file: OutputFile): number {
  return file.pieces.reduce((sum, piece) => sum + sizeOfPiece(piece), 0);
}

/** A text as a file. */
export function textFile(path: string, text: string): OutputFile {
  return { path, pieces: [new TextEncoder().encode(text)] };
}

/** The bytes from `start` to before `end`. A chunk is valid until the next one is asked for. */
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

/** All bytes of a small file. */
export async function bytesOfFile(file: OutputFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeOfFile(file));
  let at = 0;
  for await (const chunk of readRange(file)) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** What is known of a file's bytes before any weight is read: with the checkpoint's hash it decides them all. */
export function knownBytes(file: OutputFile): Uint8Array[] {
  return file.pieces.filter((piece) => piece instanceof Uint8Array);
}

/** True when all of a file is known: nothing of it comes from the weights. */
export const isKnown = (file: OutputFile): boolean => file.pieces.every((piece) => piece instanceof Uint8Array);
