/**
 * The index of a token shard: its minimizers, sorted by fingerprint. All numbers are little-endian uint32.
 *
 * 257 numbers: for each first byte of a fingerprint, the number of entries before it; last, the number of all entries. Then the
 * entries, each a fingerprint and the index of its first token in the shard. With two of WINDOW + 1 = 6 groups kept at 8 bytes
 * each, an index has about 1.33 times the bytes of its tokens.
 */
import { MAX_SHARD_TOKENS } from "../tokenizer/token-shard.ts";
import { minimizersOf } from "./minimizers.ts";

const BUCKETS = 256;
export const DIRECTORY_BYTES = (BUCKETS + 1) * 4;
const ENTRY_BYTES = 8;
/** A fingerprint and an index fit into the 53 bits of a number, which sorts fast. */
const INDEX_RANGE = 2 ** 21;

const bucketOf = (fingerprint: number) => fingerprint >>> 24;

/** The index of a shard's tokens. Throws for more tokens than a shard has. */
export function encodeIndex(tokens: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  if (tokens.length > MAX_SHARD_TOKENS) throw new Error(`index: expected at most ${MAX_SHARD_TOKENS} tokens, got ${tokens.length}`);
  const keys: number[] = [];
  for (const { at, fingerprint } of minimizersOf(tokens)) keys.push(fingerprint * INDEX_RANGE + at);
  const sorted = Float64Array.from(keys).toSorted();
  const bytes = new Uint8Array(DIRECTORY_BYTES + ENTRY_BYTES * sorted.length);
  const view = new DataView(bytes.buffer);
  const counts = new Uint32Array(BUCKETS);
  for (const [index, key] of sorted.entries()) {
    const fingerprint = Math.floor(key / INDEX_RANGE);
    counts[bucketOf(fingerprint)]!++;
    view.setUint32(DIRECTORY_BYTES + ENTRY_BYTES * index, fingerprint, true);
    view.setUint32(DIRECTORY_BYTES + ENTRY_BYTES * index + 4, key % INDEX_RANGE, true);
  }
  let before = 0;
  for (let bucket = 0; bucket <= BUCKETS; bucket++) {
    view.setUint32(bucket * 4, before, true);
    before += counts[bucket] ?? 0;
  }
  return bytes;
}

/** The bytes from `start` to before `end` that hold the entries of some fingerprints. */
export interface ByteRange {
  start: number;
  end: number;
}

/** The ranges to read for fingerprints. Ranges that nearly touch are one range, because a read costs more than a few kilobytes. */
export function rangesOf(directory: DataView, fingerprints: Iterable<number>, joinBytes: number): ByteRange[] {
  const buckets = [...new Set(Array.from(fingerprints, bucketOf))].toSorted((a, b) => a - b);
  const ranges: ByteRange[] = [];
  for (const bucket of buckets) {
    const offset = (index: number) => DIRECTORY_BYTES + ENTRY_BYTES * directory.getUint32(index * 4, true);
    const [start, end] = [offset(bucket), offset(bucket + 1)];
    const last = ranges.at(-1);
    if (start === end) continue;
    if (last !== undefined && start - last.end <= joinBytes) last.end = end;
    else ranges.push({ start, end });
  }
  return ranges;
}

/** The token indexes of a fingerprint, at most `most`, from entries that are sorted by fingerprint. */
export function lookUp(entries: DataView, fingerprint: number, most: number): number[] {
  const count = entries.byteLength / ENTRY_BYTES;
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries.getUint32(middle * ENTRY_BYTES, true) < fingerprint) low = middle + 1;
    else high = middle;
  }
  const found: number[] = [];
  for (let at = low; at < count && found.length < most && entries.getUint32(at * ENTRY_BYTES, true) === fingerprint; at++)
    found.push(entries.getUint32(at * ENTRY_BYTES + 4, true));
  return found;
}
