/**
 * Sizes of the microkernel (microkernel.ts), and the kernels' working memory at a fixed address. V8 does not check constant
 * addresses below the memory's declared minimum. Therefore the micro-panel of A is copied to a constant address.
 *
 * Memory map from A_PANEL: the micro-panel, four more micro-panels for Strassen's quadrants of A, Strassen's product table
 * (strassen.ts), and a number that prefetching writes (prefetch.ts).
 */

/** Rows and columns of a microtile: MR and NR of BLIS (doi:10.1145/2764454). */
export const ROWS: i32 = 6;
export const COLUMNS: i32 = 8;
/**
 * Unrolled steps of the microkernel along k, and the maximum length of a micro-panel of A (KC of BLIS). They take 10 KB of
 * machine code.
 */
export const DEPTH: i32 = 64;

/** Bytes of a row of a packed B panel, and of a microtile of C. */
export const B_PANEL_ROW: usize = <usize>COLUMNS << 2;
export const MICROTILE_BYTES: i32 = ROWS * <i32>B_PANEL_ROW;

/** Address of the packed A micro-panel. It is above tfjs's data and stack (92 KB) and inside the memory's declared minimum (256 KB). */
export const A_PANEL: usize = 131072;
/** Row stride of a packed A micro-panel in bytes, and the size of all six rows. */
export const A_PANEL_ROW: usize = <usize>DEPTH << 2;
export const A_PANEL_BYTES: usize = <usize>ROWS * A_PANEL_ROW;

/** Packed quadrants of A for Strassen's algorithm, and its product table: three entries of 32 bytes. */
export const A11: usize = A_PANEL + A_PANEL_BYTES;
export const A12: usize = A_PANEL + 2 * A_PANEL_BYTES;
export const A21: usize = A_PANEL + 3 * A_PANEL_BYTES;
export const A22: usize = A_PANEL + 4 * A_PANEL_BYTES;
export const PRODUCTS: usize = A_PANEL + 5 * A_PANEL_BYTES;
export const PRODUCT_BYTES: usize = 32;

/** Prefetching writes a number here that is never read. */
export const PREFETCH_SINK: usize = PRODUCTS + 3 * PRODUCT_BYTES;

/** @query The first byte of the working memory. tfjs must not use this memory. */
export function workspaceStart(): usize {
  return A_PANEL;
}

/** @query Bytes of the working memory. */
export function workspaceBytes(): i32 {
  return <i32>(PREFETCH_SINK + 16 - A_PANEL);
}

/**
 * Splits k into parts of nearly equal length, at most `limit` (a multiple of four) each. For example, 65 becomes 36 and 29, not
 * 64 and 1.
 */
// @ts-ignore: decorator
@inline
export function partSize(k: i32, limit: i32): i32 {
  const parts = (k + limit - 1) / limit;
  return ((k + parts - 1) / parts + 3) & ~3;
}
