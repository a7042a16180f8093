/**
 * Unpacks bzip2 block by block. Each block is independent, so reading can begin at any block, given by its bit position. No
 * library fits: seek-bzip needs the whole file, and unbzip2-stream needs Node streams and cannot begin in the middle. The format
 * is described in github.com/dsnet/compress/blob/master/doc/bzip2-format.pdf. A block unpacks to at most 46 MB, and it is yielded
 * in pieces. Memory: 4 bytes per byte of a block of 900,000 bytes, and MAX_PACKED_BLOCK of input.
 */
import { BitReader } from "./bit-reader.ts";
import { createBlockTables, crcOf, readBlock, type BlockTables } from "./bzip2-block.ts";

/** A block has at most 900,000 symbols of at most 20 bits, and its tables have less than 20,000 bytes. */
const MAX_PACKED_BLOCK = 2_400_000;
const STREAM_MAGIC = "BZh";
const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
const PIECE = 65_536;

export interface UnpackedPiece {
  bytes: Uint8Array;
  /** The bit of the input at which the block of this piece begins. */
  block: number;
  /** Bytes of this block that were yielded before. */
  skipped: number;
}

/**
 * Unpacks a file, or the rest of a file from the bit at `bit` of the first chunk, where a block begins. `base` is the number of
 * bytes before the first chunk.
 */
export async function* bunzip2(chunks: AsyncIterable<Uint8Array>, base = 0, bit = 0, isRest = false): AsyncGenerator<UnpackedPiece> {
  const input = chunks[Symbol.asyncIterator]();
  const reader = new BitReader();
  let [ended, refilled] = [false, base];
  const fill = async () => {
    const parts: Uint8Array[] = [];
    let length = 0;
    while (!ended && reader.left / 8 + length < MAX_PACKED_BLOCK) {
      const next = await input.next();
      if (next.done === true) ended = true;
      else {
        parts.push(next.value);
        length += next.value.length;
      }
    }
    if (length === 0) return;
    refilled += reader.bit >> 3;
    reader.refill(parts);
  };
  const tables = createBlockTables();
  try {
    await fill();
    if (isRest) reader.skip(bit);
    else readHeader(reader);
    for (;;) {
      await fill();
      const block = refilled * 8 + reader.bit;
      const magic = reader.read(24) * 2 ** 24 + reader.read(24);
      if (magic === BLOCK_MAGIC) yield* pieces(reader, tables, block);
      else if (magic === END_MAGIC) {
        reader.read(16);
        reader.read(16);
        reader.skip(-reader.bit & 7);
        if (reader.left < 32) return;
        readHeader(reader);
      } else throw new Error("bzip2: expected a block, got other bytes");
    }
  } finally {
    await input.return?.();
  }
}

function readHeader(reader: BitReader): void {
  const magic = String.fromCharCode(reader.read(8), reader.read(8), reader.read(8));
  const level = reader.read(8) - 0x30;
  if (magic !== STREAM_MAGIC || level < 1 || level > 9) throw new Error("bzip2: expected BZh1 to BZh9, got other bytes");
}

/** The bytes of a block: runs of four equal bytes and a count are undone, and the checksum is compared. */
function* pieces(reader: BitReader, tables: BlockTables, block: number): Generator<UnpackedPiece> {
  const expected = (reader.read(16) * 65_536 + reader.read(16)) >>> 0;
  const { length, start } = readBlock(reader, tables);
  const { next } = tables;
  let [crc, skipped, run, last, size, at] = [0xffffffff, 0, 0, -1, 0, start];
  let piece = new Uint8Array(PIECE);
  for (let index = 0; index < length; index++) {
    at = next[at]!;
    const byte = at & 0xff;
    at >>>= 8;
    let count = 1;
    if (run === 4) {
      count = byte;
      run = 0;
    } else {
      run = byte === last ? run + 1 : 1;
      last = byte;
    }
    for (let copy = 0; copy < count; copy++) {
      piece[size++] = last;
      if (size < PIECE) continue;
      crc = crcOf(piece, crc);
      yield { bytes: piece, block, skipped };
      skipped += size;
      [piece, size] = [new Uint8Array(PIECE), 0];
    }
    if (run === 0) last = -1;
  }
  const rest = piece.subarray(0, size);
  crc = crcOf(rest, crc);
  if (~crc >>> 0 !== expected) throw new Error("bzip2: expected a block with its checksum, got a damaged block");
  if (size > 0) yield { bytes: rest, block, skipped };
}
