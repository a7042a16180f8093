/**
 * Packing: B [k, n] becomes panels of 8 columns, each dense [k, 8] with zeros beyond column n, and six rows of A a strip, so
 * that the register tile reads both in order. Strides are bytes.
 */
import { COLUMNS } from "./tile";

/** Bytes of one packed B [k, n]. */
// @ts-ignore: decorator
@inline
export function panelsBytes(k: i32, n: i32): usize {
  return ((<usize>(n + COLUMNS - 1) / COLUMNS) * <usize>k) << 5;
}

/** Element (x, j) of B lies at b + x row + j column; panel p begins at pack + 32 p k. */
export function packPanels(b: usize, k: i32, n: i32, row: usize, column: usize, pack: usize): void {
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
    target += 32;
  }
}

/** B's columns are dense, as in a product with a transposed matrix: 4 x 4 blocks are transposed in registers. */
function packColumns(b: usize, k: i32, column: usize, target: usize): void {
  const whole = k & ~3;
  for (let half = 0; half < 2; half++) {
    const source = b + <usize>half * 4 * column;
    const out = target + (<usize>half << 4);
    for (let x = 0; x < whole; x += 4) transpose(source + (<usize>x << 2), column, out + (<usize>x << 5), 32);
  }
  packAny(b + (<usize>whole << 2), k - whole, COLUMNS, 4, column, target + (<usize>whole << 5));
}

/** Four rows of four floats, `row` bytes apart, are written as columns, `step` bytes from one row to the next. */
// @ts-ignore: decorator
@inline
export function transpose(source: usize, row: usize, target: usize, step: usize): void {
  const r0 = v128.load(source);
  const r1 = v128.load(source + row);
  const r2 = v128.load(source + 2 * row);
  const r3 = v128.load(source + 3 * row);
  const a = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const b = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const c = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const d = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(target, v128.shuffle<f64>(a, b, 0, 2));
  v128.store(target + step, v128.shuffle<f64>(a, b, 1, 3));
  v128.store(target + 2 * step, v128.shuffle<f64>(c, d, 0, 2));
  v128.store(target + 3 * step, v128.shuffle<f64>(c, d, 1, 3));
}

function packAny(b: usize, k: i32, columns: i32, row: usize, column: usize, target: usize): void {
  for (let x = 0; x < k; x++) {
    for (let j = 0; j < COLUMNS; j++) {
      store<f32>(target + (<usize>j << 2), j < columns ? load<f32>(b + <usize>j * column) : 0);
    }
    b += row;
    target += 32;
  }
}

/**
 * Rows of A, at most six, become a strip, dense [k, 6]. Element (i, x) lies at a + i row + x column. What a strip of fewer
 * rows leaves in the others is left from before.
 */
export function packStrip(a: usize, row: usize, column: usize, rows: i32, k: i32, target: usize): void {
  if (rows == 6 && column == 4) return packStripRows(a, row, k, target);
  if (rows == 6 && row == 4) return packStripColumns(a, column, k, target);
  for (let x = 0; x < k; x++) {
    for (let i: usize = 0; i < <usize>rows; i++) store<f32>(target + (i << 2), load<f32>(a + i * row));
    a += column;
    target += 24;
  }
}

function packStripColumns(a: usize, column: usize, k: i32, target: usize): void {
  for (let x = 0; x < k; x++) {
    v128.store(target, v128.load(a));
    store<u64>(target, load<u64>(a, 16), 16);
    a += column;
    target += 24;
  }
}

/** Dense rows: blocks of six rows by four columns are transposed in registers. */
function packStripRows(a: usize, row: usize, k: i32, target: usize): void {
  let x = 0;
  for (; x + 4 <= k; x += 4) {
    const r0 = v128.load(a);
    const r1 = v128.load(a + row);
    const r2 = v128.load(a + 2 * row);
    const r3 = v128.load(a + 3 * row);
    const r4 = v128.load(a + 4 * row);
    const r5 = v128.load(a + 5 * row);
    const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const low45 = v128.shuffle<f32>(r4, r5, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    const high45 = v128.shuffle<f32>(r4, r5, 2, 6, 3, 7);
    v128.store(target, v128.shuffle<f64>(low01, low23, 0, 2));
    v128.store64_lane(target, low45, 0, 16);
    v128.store(target, v128.shuffle<f64>(low01, low23, 1, 3), 24);
    v128.store64_lane(target, low45, 1, 40);
    v128.store(target, v128.shuffle<f64>(high01, high23, 0, 2), 48);
    v128.store64_lane(target, high45, 0, 64);
    v128.store(target, v128.shuffle<f64>(high01, high23, 1, 3), 72);
    v128.store64_lane(target, high45, 1, 88);
    a += 16;
    target += 96;
  }
  for (; x < k; x++) {
    for (let i: usize = 0; i < 6; i++) store<f32>(target + (i << 2), load<f32>(a + i * row));
    a += 4;
    target += 24;
  }
}
