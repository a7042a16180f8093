/**
 * Sizes of the microkernel (microkernel.ts) and the kernels' working memory at a fixed address. Constant addresses below the
 * memory's declared minimum go unchecked in V8, which is what the micro-panel of A is copied there for.
 *
 * From A_PANEL on lie: the micro-panel, four more for Strassen's quadrants of A and its product table (strassen.ts), and the
 * number that prefetching writes (prefetch.ts).
 */

/** Rows and columns of the microkernel: MR and NR of BLIS (doi:10.1145/2764454). */
export const ROWS: i32 = 6;
export const COLUMNS: i32 = 8;
/** Steps along k that the microkernel has written out, and the longest micro-panel of A: KC of BLIS. 10 KB of machine code. */
export const DEPTH: i32 = 64;

/** Bytes of a row of a packed B panel, and of a microtile of C. */
export const B_PANEL_ROW: usize = <usize>COLUMNS << 2;
export const MICROTILE_BYTES: i32 = ROWS * <i32>B_PANEL_ROW;

/** Where the packed A micro-panel lies: above tfjs's own data and stack (92 KB), below the first page that its heap may lack. */
export const A_PANEL: usize = 131072;
/** Bytes from one row of a packed A micro-panel to the next, and of all six. */
export const A_PANEL_ROW: usize = <usize>DEPTH << 2;
export const A_PANEL_BYTES: usize = <usize>ROWS * A_PANEL_ROW;

/** Strassen's quadrants of A, packed like the micro-panel, and its product table of three entries of 32 bytes. */
export const A11: usize = A_PANEL + A_PANEL_BYTES;
export const A12: usize = A_PANEL + 2 * A_PANEL_BYTES;
export const A21: usize = A_PANEL + 3 * A_PANEL_BYTES;
export const A22: usize = A_PANEL + 4 * A_PANEL_BYTES;
export const PRODUCTS: usize = A_PANEL + 5 * A_PANEL_BYTES;
export const PRODUCT_BYTES: usize = 32;

/** Where prefetching writes what it has read. Nothing reads it. */
export const PREFETCH_SINK: usize = PRODUCTS + 3 * PRODUCT_BYTES;

/** @query The first byte of the working memory, which must be the kernels' own. */
export function workspaceStart(): usize {
  return A_PANEL;
}

/** @query Bytes of the working memory. */
export function workspaceBytes(): i32 {
  return <i32>(PREFETCH_SINK + 16 - A_PANEL);
}

/** Splits k into parts of about equal length, at most `limit` (a multiple of four) each: 65 is 36 and 29, not 64 and 1. */
// @ts-ignore: decorator
@inline
export function partSize(k: i32, limit: i32): i32 {
  const parts = (k + limit - 1) / limit;
  return ((k + parts - 1) / parts + 3) & ~3;
}
