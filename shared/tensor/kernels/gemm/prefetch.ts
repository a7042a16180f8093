/**
 * Memory that is in no cache comes at the pace of the bus only to code that reads it in order. Strips of A and panels of B go
 * to and fro between rows and wait two to four times as long for each line, so the rows are read once in order before.
 */
import { PREFETCH_SINK, ROWS } from "./layout";

/** Bytes of a cache line. */
const LINE: usize = 64;
/** Bytes at a time, which shall be in the second-level cache until they are used, beside a packed block of B (matmul.ts). */
const SPAN_BYTES: i32 = 131072;

/** Rows of so many bytes to be read at a time: whole strips. */
// @ts-ignore: decorator
@inline
export function rowsAhead(bytes: i32): i32 {
  return max(1, SPAN_BYTES / (ROWS * bytes)) * ROWS;
}

/** Reads rows of `bytes` that are `row` bytes apart, line by line; for a single one `row` says nothing. */
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
  // Else the compiler would leave the loads out.
  store<i32>(PREFETCH_SINK, read);
}
