/**
 * The microkernel multiplies 6 rows x 8 columns of C in 12 accumulators. Two multiply-adds start per cycle and each takes four
 * cycles, so at least eight independent accumulators are needed. With two vectors of B and a splat of A, all 15 registers that
 * V8 offers are in use.
 *
 * workerd checks the address of every load. Eight checked loads per twelve multiply-adds cost a third of the time. Six of the
 * eight loads read A, so six rows of A are first packed to the constant address A_PANEL, which needs no check (layout.ts).
 * Constant addresses require an unrolled loop; scripts/build.ts unrolls it.
 */
import { packAPanel } from "./pack";
import { A_PANEL, A_PANEL_ROW, B_PANEL_ROW, COLUMNS, DEPTH, partSize, ROWS } from "./layout";
import { madd } from "../simd";

/** Rows of the smaller microkernel, for the last rows of C: 64 rows leave 4 rows, 128 rows leave 2. */
const SHORT: i32 = 4;

/**
 * out [m, n] = addend + A [m, k] B [k, n]. The addend has out's layout and may be out; 0: no addend. Strides are in bytes:
 * element (i, x) of A is at a + i aRow + x aCol, row i of out at out + i outRow. Packed panel p of B (columns 8 p to 8 p + 7,
 * dense [k, 8]) is at b + p panel. `edge` is scratch of MICROTILE_BYTES for partial microtiles.
 */
export function multiply(
  a: usize, aRow: usize, aCol: usize, b: usize, panel: usize, addend: usize, out: usize, outRow: usize,
  m: i32, n: i32, k: i32, edge: usize,
): void {
  const depth = partSize(k, DEPTH);
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      packAPanel(a + <usize>i * aRow + <usize>x * aCol, aRow, aCol, rows, inner);
      const target = out + <usize>i * outRow;
      const from = x > 0 ? target : addend != 0 ? addend + <usize>i * outRow : 0;
      multiplyAPanel(b + <usize>x * B_PANEL_ROW, panel, from, target, 0, 0, outRow, rows, n, inner, edge);
    }
  }
}

/**
 * Multiplies the packed A micro-panel [rows, k] by every panel of B. out [rows, n] = from + product. If `second` is not 0, also
 * second += sign product; n must then be a multiple of COLUMNS. All three have a row stride of outRow bytes.
 */
export function multiplyAPanel(
  b: usize, panel: usize, from: usize, out: usize, second: usize, sign: f32, outRow: usize, rows: i32, n: i32, k: i32, edge: usize,
): void {
  for (let j = 0; j < n; j += COLUMNS) {
    const columns = min(COLUMNS, n - j);
    if (columns == COLUMNS && rows == ROWS) microkernel6x8(b, k, from, out, second, sign, outRow);
    else if (columns == COLUMNS && rows == SHORT) microkernel4x8(b, k, from, out, second, sign, outRow);
    else {
      if (rows > SHORT) microkernel6x8(b, k, 0, edge, 0, sign, B_PANEL_ROW);
      else microkernel4x8(b, k, 0, edge, 0, sign, B_PANEL_ROW);
      storePartial(edge, from, out, second, sign, outRow, rows, columns);
    }
    b += panel;
    out += B_PANEL_ROW;
    if (from != 0) from += B_PANEL_ROW;
    if (second != 0) second += B_PANEL_ROW;
  }
}

/**
 * Computes one microtile of C from the packed micro-panel of A and one panel of B. Callers pass the constant ROWS or SHORT as
 * `rows`, so that inlining removes the branches on `rows`.
 */
// @ts-ignore: decorator
@inline
function microkernel(rows: i32, b: usize, k: i32, from: usize, out: usize, second: usize, sign: f32, outRow: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  let low: v128, high: v128, x: v128;
  while (true) {
    // Each step has an exit. Without the exits, binaryen would sort the steps by accumulator and spill registers to memory.
    // @unroll K 64
    low = v128.load(b);
    high = v128.load(b, 16);
    b += B_PANEL_ROW;
    x = v128.load32_splat(A_PANEL + K * 4);
    c00 = madd(x, low, c00);
    c01 = madd(x, high, c01);
    x = v128.load32_splat(A_PANEL + 1 * A_PANEL_ROW + K * 4);
    c10 = madd(x, low, c10);
    c11 = madd(x, high, c11);
    x = v128.load32_splat(A_PANEL + 2 * A_PANEL_ROW + K * 4);
    c20 = madd(x, low, c20);
    c21 = madd(x, high, c21);
    x = v128.load32_splat(A_PANEL + 3 * A_PANEL_ROW + K * 4);
    c30 = madd(x, low, c30);
    c31 = madd(x, high, c31);
    if (rows == ROWS) {
      x = v128.load32_splat(A_PANEL + 4 * A_PANEL_ROW + K * 4);
      c40 = madd(x, low, c40);
      c41 = madd(x, high, c41);
      x = v128.load32_splat(A_PANEL + 5 * A_PANEL_ROW + K * 4);
      c50 = madd(x, low, c50);
      c51 = madd(x, high, c51);
    }
    if (k == K + 1) break;
    // @end
    break;
  }
  const signs = f32x4.splat(sign);
  storeRow(from, out, second, signs, 0, c00, c01);
  storeRow(from, out, second, signs, outRow, c10, c11);
  storeRow(from, out, second, signs, 2 * outRow, c20, c21);
  storeRow(from, out, second, signs, 3 * outRow, c30, c31);
  if (rows == ROWS) {
    storeRow(from, out, second, signs, 4 * outRow, c40, c41);
    storeRow(from, out, second, signs, 5 * outRow, c50, c51);
  }
}

function microkernel6x8(b: usize, k: i32, from: usize, out: usize, second: usize, sign: f32, outRow: usize): void {
  microkernel(ROWS, b, k, from, out, second, sign, outRow);
}

function microkernel4x8(b: usize, k: i32, from: usize, out: usize, second: usize, sign: f32, outRow: usize): void {
  microkernel(SHORT, b, k, from, out, second, sign, outRow);
}

/** Stores a row of a microtile at offset `at`: second += signs row, out = from + row. Skips `from` or `second` if it is 0. */
// @ts-ignore: decorator
@inline
function storeRow(from: usize, out: usize, second: usize, signs: v128, at: usize, low: v128, high: v128): void {
  if (second != 0) {
    v128.store(second + at, madd(low, signs, v128.load(second + at)));
    v128.store(second + at, madd(high, signs, v128.load(second + at, 16)), 16);
  }
  if (from != 0) {
    low = f32x4.add(low, v128.load(from + at));
    high = f32x4.add(high, v128.load(from + at, 16));
  }
  v128.store(out + at, low);
  v128.store(out + at, high, 16);
}

/** Stores the part of the microtile in `edge` that lies inside C. */
function storePartial(edge: usize, from: usize, out: usize, second: usize, sign: f32, outRow: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = <usize>i * outRow;
    const at = edge + <usize>i * B_PANEL_ROW;
    if (columns == COLUMNS) {
      storeRow(from, out, second, f32x4.splat(sign), row, v128.load(at), v128.load(at, 16));
      continue;
    }
    for (let j: usize = 0; j < <usize>columns << 2; j += 4) {
      const value = load<f32>(at + j);
      store<f32>(out + row + j, from != 0 ? load<f32>(from + row + j) + value : value);
    }
  }
}
