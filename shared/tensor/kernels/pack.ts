/**
 * Packing: B [k, n] becomes panels of 8 columns, each dense [k, 8] with zeros beyond column n, and six rows of A a strip, so
 * that the register tile reads both in order. Strides are bytes.
 */
import { madd } from "./simd";
import { COLUMNS, STRIP_ROW, TILE_ROW } from "./tile";

/** Bytes of one packed B [k, n]. */
// @ts-ignore: decorator
@inline
export function panelsBytes(k: i32, n: i32): usize {
  return (<usize>(n + COLUMNS - 1) / COLUMNS) * <usize>k * TILE_ROW;
}

/** Element (x, j) of B lies at b + x row + j column; panel p begins at pack + p k TILE_ROW. */
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
    target += TILE_ROW;
  }
}

/** B's columns are dense, as in a product with a transposed matrix: 4 x 4 blocks are transposed in registers. */
function packColumns(b: usize, k: i32, column: usize, target: usize): void {
  const whole = k & ~3;
  for (let half = 0; half < 2; half++) {
    const source = b + <usize>half * 4 * column;
    const out = target + (<usize>half << 4);
    for (let x = 0; x < whole; x += 4) transpose(source + (<usize>x << 2), column, out + <usize>x * TILE_ROW, TILE_ROW);
  }
  packAny(b + (<usize>whole << 2), k - whole, COLUMNS, 4, column, target + <usize>whole * TILE_ROW);
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
    target += TILE_ROW;
  }
}

/**
 * Rows of A, at most six, become a strip: rows of k numbers, STRIP_ROW bytes apart. Element (i, x) lies at a + i row + x column.
 * What a strip of fewer rows leaves in the others is left from before.
 */
export function packStrip(a: usize, row: usize, column: usize, rows: i32, k: i32, target: usize): void {
  if (column == 4) return copyStrip(a, row, rows, k, target);
  if (row != 4 || rows < 4) return packStripAny(a, row, column, rows, k, target);
  // Four rows at a time are transposed in registers, some of them twice where their number is not a multiple of four.
  const whole = k & ~3;
  for (let i = 0; ; i = min(i + 4, rows - 4)) {
    const source = a + (<usize>i << 2);
    const to = target + <usize>i * STRIP_ROW;
    for (let x = 0; x < whole; x += 4) transpose(source + <usize>x * column, column, to + (<usize>x << 2), STRIP_ROW);
    if (i == rows - 4) break;
  }
  packStripAny(a + <usize>whole * column, row, column, rows, k - whole, target + (<usize>whole << 2));
}

function copyStrip(a: usize, row: usize, rows: i32, k: i32, target: usize): void {
  for (let i = 0; i < rows; i++) {
    const end = target + (<usize>k << 2);
    let from = a;
    let to = target;
    for (; to + 32 <= end; to += 32) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += 32;
    }
    for (; to < end; to += 4) {
      store<f32>(to, load<f32>(from));
      from += 4;
    }
    a += row;
    target += STRIP_ROW;
  }
}

function packStripAny(a: usize, row: usize, column: usize, rows: i32, k: i32, target: usize): void {
  for (let x = 0; x < k; x++) {
    for (let i = 0; i < rows; i++) store<f32>(target + <usize>i * STRIP_ROW, load<f32>(a + <usize>i * row));
    a += column;
    target += 4;
  }
}

/** The strip at `target` = x + sign y, both of rows of k numbers that are `row` bytes apart. */
export function addStrips(x: usize, y: usize, sign: f32, row: usize, rows: i32, k: i32, target: usize): void {
  const signs = f32x4.splat(sign);
  const bytes = <usize>k << 2;
  for (let i = 0; i < rows; i++) {
    let at: usize = 0;
    for (; at + 32 <= bytes; at += 32) {
      v128.store(target + at, madd(v128.load(y + at), signs, v128.load(x + at)));
      v128.store(target + at, madd(v128.load(y + at, 16), signs, v128.load(x + at, 16)), 16);
    }
    for (; at < bytes; at += 4) store<f32>(target + at, load<f32>(x + at) + sign * load<f32>(y + at));
    x += row;
    y += row;
    target += STRIP_ROW;
  }
}
