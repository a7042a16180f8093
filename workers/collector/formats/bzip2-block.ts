/** One block of bzip2: Huffman codes, the move-to-front list, runs of zeros, and the inverse of the Burrows-Wheeler transform. */
import type { BitReader } from "./bit-reader.ts";

const MAX_BLOCK = 900_000;
const MAX_CODE_LENGTH = 20;
const GROUP_SIZE = 50;
const CRC_TABLE = createCrcTable();

export interface BlockTables {
  /** For each byte in the sorted order, the next place times 256, plus the byte. */
  next: Uint32Array;
}

/** Tables that all blocks of a file share. */
export const createBlockTables = (): BlockTables => ({ next: new Uint32Array(MAX_BLOCK) });

function createCrcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte << 24;
    for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
    return value >>> 0;
  });
}

/** The checksum of bytes, continued from `crc`. */
export function crcOf(bytes: Uint8Array, crc: number): number {
  let value = crc;
  for (const byte of bytes) value = (value << 8) ^ CRC_TABLE[(value >>> 24) ^ byte]!;
  return value;
}

interface Code {
  /** For each length, the first code that is too large for the length. */
  limits: Int32Array;
  /** For each length, the index of its first symbol minus its first code. */
  bases: Int32Array;
  symbols: Uint16Array;
  shortest: number;
}

/** Reads a block after its checksum. `tables.next` then leads from `start` through the block's bytes. */
export function readBlock(reader: BitReader, { next }: BlockTables): { length: number; start: number } {
  if (reader.read(1) === 1) throw new Error("bzip2: expected a block that is not randomised, got one of bzip2 0.9");
  const origin = reader.read(24);
  const used = readUsedBytes(reader);
  const symbols = used.length + 2;
  const codeCount = reader.read(3);
  const selectorCount = reader.read(15);
  if (used.length === 0 || codeCount < 2 || codeCount > 6 || selectorCount === 0)
    throw new Error("bzip2: expected tables, got a damaged block");
  const selectors = readSelectors(reader, selectorCount, codeCount);
  const codes = Array.from({ length: codeCount }, () => readCode(reader, symbols));
  const counts = new Uint32Array(256);
  let [length, run, weight] = [0, 0, 1];
  for (let group = 0, left = 0, code = codes[0]!; ; left--) {
    if (left === 0) {
      const selector = selectors[group++];
      if (selector === undefined) throw new Error("bzip2: expected the end of a block, got more symbols");
      code = codes[selector]!;
      left = GROUP_SIZE;
    }
    const symbol = readSymbol(reader, code);
    if (symbol < 2) {
      run += weight << symbol;
      weight *= 2;
      if (run > MAX_BLOCK) throw new Error("bzip2: expected at most 900,000 bytes, got a longer run");
      continue;
    }
    if (run > 0) {
      if (length + run > MAX_BLOCK) throw new Error("bzip2: expected at most 900,000 bytes, got a larger block");
      const byte = used[0]!;
      next.fill(byte, length, length + run);
      counts[byte]! += run;
      length += run;
      [run, weight] = [0, 1];
    }
    if (symbol === symbols - 1) break;
    if (length === MAX_BLOCK) throw new Error("bzip2: expected at most 900,000 bytes, got a larger block");
    const byte = used[symbol - 1]!;
    used.copyWithin(1, 0, symbol - 1);
    used[0] = byte;
    next[length++] = byte;
    counts[byte]!++;
  }
  if (origin >= length) throw new Error("bzip2: expected an origin within the block, got a damaged block");
  invert(next, counts, length);
  return { length, start: next[origin]! >>> 8 };
}

/** Turns bytes in sorted order into a chain. The first step of a reader leads to the first byte. */
function invert(next: Uint32Array, counts: Uint32Array, length: number): void {
  const places = new Uint32Array(256);
  for (let byte = 1; byte < 256; byte++) places[byte] = places[byte - 1]! + counts[byte - 1]!;
  for (let at = 0; at < length; at++) {
    const byte = next[at]! & 0xff;
    next[places[byte]!++]! |= at << 8;
  }
}

function readUsedBytes(reader: BitReader): Uint8Array {
  const used: number[] = [];
  const groups = reader.read(16);
  for (let group = 0; group < 16; group++) {
    if (((groups >> (15 - group)) & 1) === 0) continue;
    const bits = reader.read(16);
    for (let byte = 0; byte < 16; byte++) if ((bits >> (15 - byte)) & 1) used.push(group * 16 + byte);
  }
  return Uint8Array.from(used);
}

function readSelectors(reader: BitReader, count: number, codes: number): Uint8Array {
  const recent = Array.from({ length: codes }, (_, index) => index);
  return Uint8Array.from({ length: count }, () => {
    let place = 0;
    while (reader.read(1) === 1) if (++place >= codes) throw new Error("bzip2: expected a selector, got a damaged block");
    const [selector] = recent.splice(place, 1);
    recent.unshift(selector!);
    return selector!;
  });
}

function readCode(reader: BitReader, symbols: number): Code {
  const lengths = new Uint8Array(symbols);
  let length = reader.read(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_LENGTH) throw new Error("bzip2: expected codes of 1 to 20 bits, got a damaged block");
      if (reader.read(1) === 0) break;
      length += reader.read(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  const order = Array.from(lengths.keys()).toSorted((a, b) => lengths[a]! - lengths[b]! || a - b);
  const [limits, bases] = [new Int32Array(MAX_CODE_LENGTH + 2), new Int32Array(MAX_CODE_LENGTH + 2)];
  let [code, index] = [0, 0];
  for (let bits = 1; bits <= MAX_CODE_LENGTH; bits++) {
    bases[bits] = index - code;
    const count = lengths.reduce((total, each) => total + (each === bits ? 1 : 0), 0);
    index += count;
    code += count;
    limits[bits] = code;
    code <<= 1;
  }
  return { limits, bases, symbols: Uint16Array.from(order), shortest: lengths[order[0]!]! };
}

function readSymbol(reader: BitReader, { limits, bases, symbols, shortest }: Code): number {
  const bits = reader.peek(MAX_CODE_LENGTH);
  for (let length = shortest; length <= MAX_CODE_LENGTH; length++) {
    const code = bits >> (MAX_CODE_LENGTH - length);
    if (code >= limits[length]!) continue;
    if (length > reader.left) break;
    reader.skip(length);
    return symbols[code + bases[length]!]!;
  }
  throw new Error("bzip2: expected a code, got a damaged block or the end");
}
