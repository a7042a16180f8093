/**
 * The register tile that does the multiplying: 6 rows x 8 columns, 12 accumulators, so that two multiply-adds a cycle with
 * a latency of four are always under way; with two vectors of B and one splat of A that is all 15 registers V8 gives.
 *
 * workerd checks the address of every load, and eight checked loads for twelve multiply-adds cost a third of the time. Six of
 * them are of A, so a strip of A is copied to STRIP first, a place known at compile time: a constant address needs no check.
 * Constant addresses need a loop that is written out, which scripts/build.ts does.
 */
import { packStrip } from "./pack";
import { madd } from "./simd";

export const ROWS: i32 = 6;
export const COLUMNS: i32 = 8;
/** Bytes of one full tile of results. */
export const TILE_BYTES: i32 = 192;
/**
 * Steps along k that are written out: 10 KB of machine code. Twice as many are half a percent faster, but one process in ten
 * then runs at 60 to 80 % for its whole life (README.md of the folder above).
 */
const DEPTH: i32 = 64;
/** Where the strip lies: above tfjs's own data and stack (92 KB), below the first page that its heap might not have. */
const STRIP: usize = 131072;

/** The first byte of the strip; memory from there on must be the kernels' own. */
export function stripStart(): usize {
  return STRIP;
}

export function stripBytes(): i32 {
  return DEPTH * ROWS * 4;
}

/**
 * out [m, n] = from + A [m, k] B [k, n], where `from` is numbers that lie as those of out do, or 0 for none. Element (i, x) of
 * A lies at a + i aRow + x aCol, row i of out at out + i outRow; panel p of B (columns 8 p to 8 p + 7) is dense [k, 8] at
 * b + p panel. All strides are bytes. Partial tiles go through `edge`, scratch of TILE_BYTES.
 */
export function multiply(
  a: usize, aRow: usize, aCol: usize, b: usize, panel: usize, from: usize, out: usize, outRow: usize,
  m: i32, n: i32, k: i32, edge: usize,
): void {
  // Pieces of equal length: 65 is not 64 and 1.
  const pieces = (k + DEPTH - 1) / DEPTH;
  const depth = (k + pieces - 1) / pieces;
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      packStrip(a + <usize>i * aRow + <usize>x * aCol, aRow, aCol, rows, inner, STRIP);
      const target = out + <usize>i * outRow;
      const addend = x > 0 ? target : from != 0 ? from + <usize>i * outRow : 0;
      tiles(b + (<usize>x << 5), panel, addend, target, outRow, rows, n, inner, edge);
    }
  }
}

/** The strip times every panel. */
function tiles(b: usize, panel: usize, from: usize, out: usize, outRow: usize, rows: i32, n: i32, k: i32, edge: usize): void {
  const step: usize = from != 0 ? <usize>COLUMNS << 2 : 0;
  for (let j = 0; j < n; j += COLUMNS) {
    const columns = min(COLUMNS, n - j);
    const isWhole = rows == ROWS && columns == COLUMNS;
    // One call, since a second one would be inlined as another 10 KB.
    tile(b, k, isWhole ? from : 0, isWhole ? out : edge, isWhole ? outRow : COLUMNS << 2);
    if (!isWhole) copyTile(edge, from, out, outRow, rows, columns);
    b += panel;
    from += step;
    out += COLUMNS << 2;
  }
}

function tile(b: usize, k: i32, from: usize, out: usize, outRow: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  let low: v128, high: v128, x: v128;
  while (true) {
    // The way out of every step also keeps binaryen from sorting the steps by accumulator, which would spill the registers.
    // @unroll K 64
    low = v128.load(b);
    high = v128.load(b, 16);
    b += 32;
    x = v128.load32_splat(STRIP + K * 24);
    c00 = madd(x, low, c00);
    c01 = madd(x, high, c01);
    x = v128.load32_splat(STRIP + K * 24 + 4);
    c10 = madd(x, low, c10);
    c11 = madd(x, high, c11);
    x = v128.load32_splat(STRIP + K * 24 + 8);
    c20 = madd(x, low, c20);
    c21 = madd(x, high, c21);
    x = v128.load32_splat(STRIP + K * 24 + 12);
    c30 = madd(x, low, c30);
    c31 = madd(x, high, c31);
    x = v128.load32_splat(STRIP + K * 24 + 16);
    c40 = madd(x, low, c40);
    c41 = madd(x, high, c41);
    x = v128.load32_splat(STRIP + K * 24 + 20);
    c50 = madd(x, low, c50);
    c51 = madd(x, high, c51);
    if (k == K + 1) break;
    // @end
    break;
  }
  storeRow(from, out, 0, c00, c01);
  storeRow(from, out, outRow, c10, c11);
  storeRow(from, out, 2 * outRow, c20, c21);
  storeRow(from, out, 3 * outRow, c30, c31);
  storeRow(from, out, 4 * outRow, c40, c41);
  storeRow(from, out, 5 * outRow, c50, c51);
}

/** One row of a tile, `at` bytes from where `from` and out begin. */
// @ts-ignore: decorator
@inline
function storeRow(from: usize, out: usize, at: usize, low: v128, high: v128): void {
  if (from != 0) {
    low = f32x4.add(low, v128.load(from + at));
    high = f32x4.add(high, v128.load(from + at, 16));
  }
  v128.store(out + at, low);
  v128.store(out + at, high, 16);
}

function copyTile(edge: usize, from: usize, out: usize, outRow: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i++) {
    const row = <usize>i * outRow;
    for (let j: usize = 0; j < <usize>columns << 2; j += 4) {
      const value = load<f32>(edge + (<usize>i << 5) + j);
      store<f32>(out + row + j, from != 0 ? load<f32>(from + row + j) + value : value);
    }
  }
}
