/**
 * Reads rows in order before packing. Memory outside the caches reaches full speed only if it is read in order. Packing jumps
 * between rows, so it would wait two to four times as long per cache line.
 */
import { PREFETCH_SINK, ROWS } from "./layout";

/** Bytes of a cache line. */
const LINE: usize = 64;
/** Bytes to prefetch at a time. They stay in the second-level cache until use, together with a packed block of B (matmul.ts). */
const SPAN_BYTES: i32 = 131072;

/** The number of rows of this size to prefetch at a time: a multiple of ROWS. */
// @ts-ignore: decorator
@inline
export function rowsAhead(bytes: i32): i32 {
  return max(1, SPAN_BYTES / (ROWS * bytes)) * ROWS;
}

/** Reads each cache line of `rows` rows of `bytes` bytes with a row stride of `row` bytes. `row` has no effect for a single row. */
export function prefetchRows(from: usize, rows: i32, bytes: usize, row: usize): void {
  if (row == bytes) {
    bytes *= <usize>rows;
    rows = 1;
  }
  let read: i32 = 0;
  for (let i = 0; i < rows; i++) {
    const end = from + bytes;
    for (let at = from; at < end; at += LINE) read |= load<i32>(at);
    from += row;
  }
  // Without this store the compiler would remove the loads.
  store<i32>(PREFETCH_SINK, read);
}
