/**
 * Packs operands so that the microkernel reads them in order. B [k, n] becomes panels of 8 columns, each dense [k, 8], with
 * zeros beyond column n. Six rows of A become a micro-panel. Strides are in bytes.
 */
import { madd } from "../simd";
import { A_PANEL, A_PANEL_ROW, B_PANEL_ROW, COLUMNS } from "./layout";

/** Bytes of a packed B [k, n]. */
// @ts-ignore: decorator
@inline
export function bPanelsBytes(k: i32, n: i32): usize {
  return (<usize>(n + COLUMNS - 1) / COLUMNS) * <usize>k * B_PANEL_ROW;
}

/** Packs B. Element (x, j) is at b + x row + j column. Panel p begins at pack + p k B_PANEL_ROW. */
export function packBPanels(b: usize, k: i32, n: i32, row: usize, column: usize, pack: usize): void {
  for (let first = 0; first < n; first += COLUMNS) {
    const columns = min(COLUMNS, n - first);
    const source = b + <usize>first * column;
    const target = pack + ((<usize>first * k) << 2);
    if (columns < COLUMNS) packAny(source, k, columns, row, column, target);
    else if (column == 4) packRows(source, k, row, target);
    else if (row == 4) packColumns(source, k, column, target);
    else packAny(source, k, columns, row, column, target);
  }
}

function packRows(b: usize, k: i32, row: usize, target: usize): void {
  for (let x = 0; x < k; x++) {
    v128.store(target, v128.load(b));
    v128.store(target, v128.load(b, 16), 16);
    b += row;
    target += B_PANEL_ROW;
  }
}

/** Packs a B with dense columns (a transposed matrix): transposes 4 x 4 blocks in registers. */
function packColumns(b: usize, k: i32, column: usize, target: usize): void {
  const whole = k & ~3;
  for (let half = 0; half < 2; half++) {
    const source = b + <usize>half * 4 * column;
    const out = target + (<usize>half << 4);
    for (let x = 0; x < whole; x += 4) transpose(source + (<usize>x << 2), column, out + <usize>x * B_PANEL_ROW, B_PANEL_ROW);
  }
  packAny(b + (<usize>whole << 2), k - whole, COLUMNS, 4, column, target + <usize>whole * B_PANEL_ROW);
}

/** Multiplies row x of each packed panel by scales[x]. */
export function scaleBPanels(pack: usize, k: i32, n: i32, scales: usize): void {
  for (let first = 0; first < n; first += COLUMNS) {
    for (let x: usize = 0; x < <usize>k << 2; x += 4) {
      const scale = v128.load32_splat(scales + x);
      v128.store(pack, f32x4.mul(v128.load(pack), scale));
      v128.store(pack, f32x4.mul(v128.load(pack, 16), scale), 16);
      pack += B_PANEL_ROW;
    }
  }
}

/** Multiplies column j of x [rows, width] by gains[j]. */
export function scaleColumns(x: usize, rows: i32, width: i32, gains: usize): void {
  const whole = <usize>(width & ~3) << 2, end = <usize>width << 2;
  for (let i = 0; i < rows; i++) {
    for (let at: usize = 0; at < whole; at += 16) v128.store(x + at, f32x4.mul(v128.load(x + at), v128.load(gains + at)));
    for (let at = whole; at < end; at += 4) store<f32>(x + at, load<f32>(x + at) * load<f32>(gains + at));
    x += end;
  }
}

/** Transposes 4 x 4 floats. The row stride is `row` bytes in the source and `step` bytes in the target. */
// @ts-ignore: decorator
@inline
export function transpose(source: usize, row: usize, target: usize, step: usize): void {
  transposeScaled(false, source, row, target, step, f32x4.splat(1));
}

/** Like `transpose`. If isScaled (a compile-time constant), multiplies row i of the source by lane i of `scales`. */
// @ts-ignore: decorator
@inline
export function transposeScaled(isScaled: bool, source: usize, row: usize, target: usize, step: usize, scales: v128): void {
  const r0 = v128.load(source);
  const r1 = v128.load(source + row);
  const r2 = v128.load(source + 2 * row);
  const r3 = v128.load(source + 3 * row);
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(target, scaled(isScaled, v128.shuffle<f64>(a, b, 0, 2), scales));
  v128.store(target + step, scaled(isScaled, v128.shuffle<f64>(a, b, 1, 3), scales));
  v128.store(target + 2 * step, scaled(isScaled, v128.shuffle<f64>(c, d, 0, 2), scales));
  v128.store(target + 3 * step, scaled(isScaled, v128.shuffle<f64>(c, d, 1, 3), scales));
}

/** x scale if isScaled (a compile-time constant), else x. */
// @ts-ignore: decorator
@inline
export function scaled(isScaled: bool, x: v128, scale: v128): v128 {
  return isScaled ? f32x4.mul(x, scale) : x;
}

function packAny(b: usize, k: i32, columns: i32, row: usize, column: usize, target: usize): void {
  for (let x = 0; x < k; x++) {
    for (let j = 0; j < COLUMNS; j++) {
      store<f32>(target + (<usize>j << 2), j < columns ? load<f32>(b + <usize>j * column) : 0);
    }
    b += row;
    target += B_PANEL_ROW;
  }
}

/**
 * Packs up to six rows of A to the micro-panel. Element (i, x) is at a + i row + x column. Unused rows of the panel have
 * undefined values.
 */
export function packAPanel(a: usize, row: usize, column: usize, rows: i32, k: i32): void {
  if (column == 4) copyAPanel(a, row, rows, k);
  else transposeAPanel(a, row, column, rows, k, A_PANEL);
}

/** Packs rows of A that are not dense to `target`, with the row stride of a micro-panel (A_PANEL_ROW). */
export function transposeAPanel(a: usize, row: usize, column: usize, rows: i32, k: i32, target: usize): void {
  if (row != 4 || rows < 4) return transposeAny(a, row, column, rows, k, target);
  // Transposes four rows at a time in registers. Five or six rows need a second, overlapping transpose of the same four cache
  // lines. The second transpose follows at once, while the lines are still in the cache.
  const whole = k & ~3;
  const rest = <usize>(rows - 4);
  for (let x = 0; x < whole; x += 4) {
    const source = a + <usize>x * column;
    const to = target + (<usize>x << 2);
    transpose(source, column, to, A_PANEL_ROW);
    if (rest > 0) transpose(source + (rest << 2), column, to + rest * A_PANEL_ROW, A_PANEL_ROW);
  }
  transposeAny(a + <usize>whole * column, row, column, rows, k - whole, target + (<usize>whole << 2));
}

function transposeAny(a: usize, row: usize, column: usize, rows: i32, k: i32, target: usize): void {
  for (let x = 0; x < k; x++) {
    for (let i = 0; i < rows; i++) store<f32>(target + <usize>i * A_PANEL_ROW, load<f32>(a + <usize>i * row));
    a += column;
    target += 4;
  }
}

function copyAPanel(x: usize, row: usize, rows: i32, k: i32): void {
  fillAPanel(false, x, x, 0, row, rows, k);
}

/** Sets the micro-panel to x + sign y. Both have up to six rows of k numbers with a row stride of `row` bytes. */
export function packASum(x: usize, y: usize, sign: f32, row: usize, rows: i32, k: i32): void {
  fillAPanel(true, x, y, sign, row, rows, k);
}

/**
 * Sets the micro-panel to x or to x + sign y. Writes four columns of all six rows at a time. Stores to constant addresses need
 * no check (microkernel.ts), and the loads of the six rows overlap. 16 steps of four columns are DEPTH. Missing rows repeat the
 * last row.
 */
// @ts-ignore: decorator
@inline
function fillAPanel(isSum: bool, x: usize, y: usize, sign: f32, row: usize, rows: i32, k: i32): void {
  const signs = f32x4.splat(sign);
  const last = rows - 1;
  const row1 = <usize>min(1, last) * row, row2 = <usize>min(2, last) * row, row3 = <usize>min(3, last) * row;
  const row4 = <usize>min(4, last) * row, row5 = <usize>min(5, last) * row;
  while (true) {
    // @unroll K 16
    if (k < 4 * K + 4) break;
    v128.store(A_PANEL + 16 * K, sumOf(isSum, x, y, signs));
    v128.store(A_PANEL + A_PANEL_ROW + 16 * K, sumOf(isSum, x + row1, y + row1, signs));
    v128.store(A_PANEL + 2 * A_PANEL_ROW + 16 * K, sumOf(isSum, x + row2, y + row2, signs));
    v128.store(A_PANEL + 3 * A_PANEL_ROW + 16 * K, sumOf(isSum, x + row3, y + row3, signs));
    v128.store(A_PANEL + 4 * A_PANEL_ROW + 16 * K, sumOf(isSum, x + row4, y + row4, signs));
    v128.store(A_PANEL + 5 * A_PANEL_ROW + 16 * K, sumOf(isSum, x + row5, y + row5, signs));
    x += 16;
    y += 16;
    // @end
    break;
  }
  for (let at = <usize>(k & ~3) << 2; at < <usize>k << 2; at += 4) {
    for (let i: usize = 0; i < <usize>rows; i++) {
      const value = load<f32>(x + i * row);
      store<f32>(A_PANEL + i * A_PANEL_ROW + at, isSum ? value + sign * load<f32>(y + i * row) : value);
    }
    x += 4;
    y += 4;
  }
}

// @ts-ignore: decorator
@inline
function sumOf(isSum: bool, x: usize, y: usize, signs: v128): v128 {
  return isSum ? madd(v128.load(y), signs, v128.load(x)) : v128.load(x);
}
