/**
 * Symmetric products (syrk in BLAS). Computes the microtiles on and above the diagonal and mirrors them, with half the work of
 * matMul. Newton-Schulz consists of such products.
 */
import { blockDepth, BLOCK_N } from "./matmul";
import { packBPanels, bPanelsBytes, transpose } from "./pack";
import { B_PANEL_ROW, COLUMNS, ROWS } from "./layout";
import { multiply } from "./microkernel";

/**
 * out [m, m] = A [m, k] B [k, m]; the product must be symmetric. Element (i, x) of A is at a + i aRow + x aCol, element (x, j)
 * of B at b + x bRow + j bCol. Strides are in bytes; out is dense.
 */
export function syrk(
  a: usize, aRow: usize, aCol: usize, b: usize, bRow: usize, bCol: usize, out: usize, m: i32, k: i32, pack: usize,
): void {
  const depth = blockDepth(m, k);
  const edge = pack + bPanelsBytes(depth, min(m, BLOCK_N));
  const outRow = <usize>m << 2;
  for (let j = 0; j < m; j += BLOCK_N) {
    const width = min(BLOCK_N, m - j);
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      const panel = <usize>inner * B_PANEL_ROW;
      packBPanels(b + <usize>x * bRow + <usize>j * bCol, inner, width, bRow, bCol, pack);
      for (let i = 0; i < j + width; i += ROWS) {
        // The number of columns before the first panel that contains the diagonal in these rows.
        const skipped = i > j ? ((i - j) / COLUMNS) * COLUMNS : 0;
        const target = out + <usize>i * outRow + (<usize>(j + skipped) << 2);
        const source = pack + (<usize>skipped * inner << 2);
        const rows = min(ROWS, m - i);
        multiply(a + <usize>i * aRow + <usize>x * aCol, aRow, aCol, source, panel, x > 0 ? target : 0, target, outRow, rows, width - skipped, inner, edge);
      }
    }
  }
  mirror(out, m);
}

/** Copies x [m, m] from above the diagonal to below it, in blocks of 4 x 4. */
function mirror(x: usize, m: i32): void {
  const row = <usize>m << 2;
  const whole = m & ~3;
  for (let i = 0; i < whole; i += 4) {
    for (let j = 0; j < i; j += 4) transpose(x + <usize>j * row + (<usize>i << 2), row, x + <usize>i * row + (<usize>j << 2), row);
    for (let r = i + 1; r < i + 4; r++) mirrorRow(x, row, r, i);
  }
  for (let i = whole; i < m; i++) mirrorRow(x, row, i, 0);
}

/** Mirrors row i from column `first` to the diagonal. */
function mirrorRow(x: usize, row: usize, i: i32, first: i32): void {
  for (let j = first; j < i; j++) store<f32>(x + <usize>i * row + (<usize>j << 2), load<f32>(x + <usize>j * row + (<usize>i << 2)));
}
