/**
 * One level of Strassen's algorithm (doi:10.1007/BF02165411): seven products of matrices of half the size instead of eight.
 *
 *   M1 = (A11 + A22) (B11 + B22)   M2 = (A21 + A22) B11   M3 = A11 (B12 - B22)   M4 = A22 (B21 - B11)
 *   M5 = (A11 + A12) B22   M6 = (A21 - A11) (B11 + B12)   M7 = (A12 - A22) (B21 + B22)
 *   C11 = M1 + M4 - M5 + M7   C12 = M3 + M5   C21 = M2 + M4   C22 = M1 - M2 + M3 + M6
 *
 * No matrix of intermediate results exists (as in doi:10.1109/SC.2016.58): sums of A are made where strips are copied
 * anyway, those of B when a block is packed, and a tile of M goes from the registers to both quadrants of C.
 * Rounding errors are about twice those of the plain product, in relation to the largest numbers of A and B: a row of small
 * numbers is not as exact beside one of large numbers as it would be alone.
 */
import { addNumbers, addStrips, packPanels, packStrip, panelsBytes } from "./pack";
import { COLUMNS, multiplyStrip, pieceOf, ROWS, STRIP, STRIP_BYTES, STRIP_ROW } from "./tile";

/** Below this in any direction, adding up costs as much as an eighth of the products. */
const LEAST: i32 = 128;

/** The quadrants of A for one strip, where their rows do not lie dense. */
const A11: usize = STRIP + STRIP_BYTES;
const A12: usize = STRIP + 2 * STRIP_BYTES;
const A21: usize = STRIP + 3 * STRIP_BYTES;
const A22: usize = STRIP + 4 * STRIP_BYTES;

/** Whether halves are whole: whole panels of B, and even in the other directions. */
// @ts-ignore: decorator
@inline
export function isStrassen(m: i32, n: i32, k: i32): bool {
  return min(m, min(n, k)) >= LEAST && ((m | k) & 1) == 0 && n % (2 * COLUMNS) == 0;
}

/** Bytes of the seven factors of a packed B [k, n], instead of its four quadrants. */
// @ts-ignore: decorator
@inline
export function factorsBytes(k: i32, n: i32): usize {
  return (panelsBytes(k, n) / 4) * 7;
}

/** The seven factors of B [2 k, 2 n], packed one after the other: B11, B22, B11 + B12, B21 + B22, B11 + B22, B12 - B22, B21 - B11. */
export function packFactors(b: usize, k: i32, n: i32, row: usize, column: usize, pack: usize): void {
  const bytes = panelsBytes(k, n);
  const down = <usize>k * row;
  const right = <usize>n * column;
  const b11 = pack, b22 = pack + bytes, b12 = pack + 2 * bytes, b21 = pack + 3 * bytes;
  packPanels(b, k, n, row, column, b11);
  packPanels(b + down + right, k, n, row, column, b22);
  packPanels(b + right, k, n, row, column, b12);
  packPanels(b + down, k, n, row, column, b21);
  add(b11, b22, 1, pack + 4 * bytes, bytes);
  add(b12, b22, -1, pack + 5 * bytes, bytes);
  add(b21, b11, -1, pack + 6 * bytes, bytes);
  add(b12, b11, 1, b12, bytes);
  add(b21, b22, 1, b21, bytes);
}

/** addNumbers, once instead of five times in line. */
function add(x: usize, y: usize, sign: f32, out: usize, bytes: usize): void {
  addNumbers(x, y, sign, out, bytes);
}

/** out [2 m, 2 n] = from + A [2 m, 2 k] B, where b is what packFactors made of B; everything else as in `multiply`. */
export function strassen(
  a: usize, aRow: usize, aCol: usize, b: usize, from: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32, edge: usize,
): void {
  const panel = <usize>k * (COLUMNS << 2);
  const factor = panelsBytes(k, n);
  const depth = pieceOf(k);
  const right = <usize>n << 2;
  const down = <usize>m * outRow;
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    const c11 = out + <usize>i * outRow;
    const c12 = c11 + right, c21 = c11 + down, c22 = c21 + right;
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      const b1 = b + <usize>x * (COLUMNS << 2);
      const b2 = b1 + factor, b3 = b2 + factor, b4 = b3 + factor, b5 = b4 + factor, b6 = b5 + factor, b7 = b6 + factor;
      let a11 = a + <usize>i * aRow + <usize>x * aCol;
      let a12 = a11 + <usize>k * aCol, a21 = a11 + <usize>m * aRow;
      let a22 = a21 + <usize>k * aCol;
      let row = aRow;
      if (aCol != 4) {
        packStrip(a11, aRow, aCol, rows, inner, A11);
        packStrip(a12, aRow, aCol, rows, inner, A12);
        packStrip(a21, aRow, aCol, rows, inner, A21);
        packStrip(a22, aRow, aCol, rows, inner, A22);
        a11 = A11;
        a12 = A12;
        a21 = A21;
        a22 = A22;
        row = STRIP_ROW;
      }
      // What the first product of each quadrant is added to.
      const addend = x > 0 ? out : from;
      const f11 = addend != 0 ? addend + <usize>i * outRow : 0;
      const f12 = addend != 0 ? f11 + right : 0, f21 = addend != 0 ? f11 + down : 0, f22 = addend != 0 ? f21 + right : 0;
      addStrips(a21, a11, -1, row, rows, inner, STRIP);
      multiplyStrip(b3, panel, f22, c22, 0, 0, outRow, rows, n, inner, edge);
      addStrips(a12, a22, -1, row, rows, inner, STRIP);
      multiplyStrip(b4, panel, f11, c11, 0, 0, outRow, rows, n, inner, edge);
      addStrips(a21, a22, 1, row, rows, inner, STRIP);
      multiplyStrip(b1, panel, f21, c21, c22, -1, outRow, rows, n, inner, edge);
      packStrip(a11, row, 4, rows, inner, STRIP);
      multiplyStrip(b6, panel, f12, c12, c22, 1, outRow, rows, n, inner, edge);
      addStrips(a11, a22, 1, row, rows, inner, STRIP);
      multiplyStrip(b5, panel, c11, c11, c22, 1, outRow, rows, n, inner, edge);
      packStrip(a22, row, 4, rows, inner, STRIP);
      multiplyStrip(b7, panel, c11, c11, c21, 1, outRow, rows, n, inner, edge);
      addStrips(a11, a12, 1, row, rows, inner, STRIP);
      multiplyStrip(b2, panel, c12, c12, c11, -1, outRow, rows, n, inner, edge);
    }
  }
}
