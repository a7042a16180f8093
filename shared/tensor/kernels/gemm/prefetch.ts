/**
 * Memory outside the caches arrives at the pace of the bus only when it is read in order. Packing goes back and forth between
 * rows and waits two to four times as long for each line, so the rows are read once in order before.
 */
import { PREFETCH_SINK, ROWS } from "./layout";

/** Bytes of a cache line. */
const LINE: usize = 64;
/** Bytes read ahead at a time: they stay in the second-level cache until they are used, beside a packed block of B (matmul.ts). */
const SPAN_BYTES: i32 = 131072;

/** Rows of so many bytes to read ahead at a time: a whole number of micro-panels. */
// @ts-ignore: decorator
@inline
export function rowsAhead(bytes: i32): i32 {
  return max(1, SPAN_BYTES / (ROWS * bytes)) * ROWS;
}

/** Reads rows of `bytes` that are `row` bytes apart, line by line. `row` is ignored for a single row. */
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
  // Without a use of what was read the compiler drops the loads.
  store<i32>(PREFETCH_SINK, read);
}
