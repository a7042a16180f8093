/**
 * The register tile that does the multiplying: 6 rows x 8 columns, 12 accumulators, so that two multiply-adds a cycle with
 * a latency of four are always under way; with two vectors of B and one splat of A that is all 15 registers V8 gives.
 * B is packed (pack.ts); A is read where it lies, through strides in bytes.
 */
import { madd } from "./simd";

export const ROWS: i32 = 6;
export const COLUMNS: i32 = 8;
/** Bytes of one full tile of results. */
export const TILE_BYTES: i32 = 192;

/**
 * out [m, n] = (add ? out : 0) + A [m, k] B [k, n]. Element (i, x) of A lies at a + i aRow + x aCol, row i of out at
 * out + i outRow; panel p of B (columns 8 p to 8 p + 7) is dense [k, 8] at b + p panel. All strides are bytes.
 * Partial tiles go through `edge`, scratch of TILE_BYTES.
 */
export function multiply(
  a: usize, aRow: usize, aCol: usize, b: usize, panel: usize, out: usize, outRow: usize,
  m: i32, n: i32, k: i32, add: bool, edge: usize,
): void {
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    const strip = a + <usize>i * aRow;
    let source = b;
    for (let j = 0; j < n; j += COLUMNS) {
      const columns = min(COLUMNS, n - j);
      const target = out + <usize>i * outRow + (<usize>j << 2);
      if (rows == ROWS && columns == COLUMNS) tile(strip, aRow, aCol, rows, source, k, target, outRow, add);
      else {
        tile(strip, aRow, aCol, rows, source, k, edge, COLUMNS << 2, false);
        copyTile(edge, target, outRow, rows, columns, add);
      }
      source += panel;
    }
  }
}

/** Rows beyond `rows` repeat the last one, so that nothing outside A is read. */
function tile(a: usize, aRow: usize, aCol: usize, rows: i32, b: usize, k: i32, out: usize, outRow: usize, add: bool): void {
  const last = <usize>(rows - 1) * aRow;
  let p0 = a;
  let p1 = a + min(last, aRow);
  let p2 = a + min(last, 2 * aRow);
  let p3 = a + min(last, 3 * aRow);
  let p4 = a + min(last, 4 * aRow);
  let p5 = a + min(last, 5 * aRow);
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  const end = b + (<usize>k << 5);
  while (b != end) {
    const low = v128.load(b);
    const high = v128.load(b, 16);
    let x = v128.load32_splat(p0);
    c00 = madd(x, low, c00);
    c01 = madd(x, high, c01);
    x = v128.load32_splat(p1);
    c10 = madd(x, low, c10);
    c11 = madd(x, high, c11);
    x = v128.load32_splat(p2);
    c20 = madd(x, low, c20);
    c21 = madd(x, high, c21);
    x = v128.load32_splat(p3);
    c30 = madd(x, low, c30);
    c31 = madd(x, high, c31);
    x = v128.load32_splat(p4);
    c40 = madd(x, low, c40);
    c41 = madd(x, high, c41);
    x = v128.load32_splat(p5);
    c50 = madd(x, low, c50);
    c51 = madd(x, high, c51);
    b += 32;
    p0 += aCol;
    p1 += aCol;
    p2 += aCol;
    p3 += aCol;
    p4 += aCol;
    p5 += aCol;
  }
  storeRow(out, c00, c01, add);
  storeRow(out + outRow, c10, c11, add);
  storeRow(out + 2 * outRow, c20, c21, add);
  storeRow(out + 3 * outRow, c30, c31, add);
  storeRow(out + 4 * outRow, c40, c41, add);
  storeRow(out + 5 * outRow, c50, c51, add);
}

// @ts-ignore: decorator
@inline
function storeRow(target: usize, low: v128, high: v128, add: bool): void {
  if (add) {
    low = f32x4.add(low, v128.load(target));
    high = f32x4.add(high, v128.load(target, 16));
  }
  v128.store(target, low);
  v128.store(target, high, 16);
}

function copyTile(edge: usize, out: usize, outRow: usize, rows: i32, columns: i32, add: bool): void {
  for (let i = 0; i < rows; i++) {
    const source = edge + (<usize>i << 5);
    const target = out + <usize>i * outRow;
    for (let j: usize = 0; j < <usize>columns; j++) {
      const value = load<f32>(source + (j << 2));
      store<f32>(target + (j << 2), add ? load<f32>(target + (j << 2)) + value : value);
    }
  }
}
