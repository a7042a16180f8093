/**
 * One level of Strassen's algorithm (doi:10.1007/BF02165411): seven products of half-size matrices instead of eight.
 *   M1 = (A11 + A22) (B11 + B22)   M2 = (A21 + A22) B11   M3 = A11 (B12 - B22)   M4 = A22 (B21 - B11)
 *   M5 = (A11 + A12) B22   M6 = (A21 - A11) (B11 + B12)   M7 = (A12 - A22) (B21 + B22)
 *   C11 = M1 + M4 - M5 + M7   C12 = M3 + M5   C21 = M2 + M4   C22 = M1 - M2 + M3 + M6
 * The algorithm stores no intermediate matrix (as in doi:10.1109/SC.2016.58). Packing a micro-panel computes the sums of A,
 * packing a block computes the sums of B, and each microtile of M goes from registers to two quadrants of C.
 *
 * Rounding errors are about twice those of the plain product, relative to the largest numbers of A and B. A row of small numbers
 * therefore loses precision next to a row of large numbers.
 */
import { operandBytes, M1, M2, M3, M4, M5, M6, M7 } from "./strassen-operands";
import { packASum, packAPanel, transposeAPanel } from "./pack";
import { prefetchRows, rowsAhead } from "./prefetch";
import { A11, A12, A21, A22, A_PANEL_ROW, B_PANEL_ROW, COLUMNS, DEPTH, partSize, PRODUCT_BYTES, PRODUCTS, ROWS } from "./layout";
import { multiplyAPanel } from "./microkernel";

/** Minimum side of a matrix. Below this size, the sums cost as much as the saved product. */
const MIN_SIDE: i32 = 128;

/** Quadrants of C. */
const C11: i32 = 0;
const C12: i32 = 1;
const C21: i32 = 2;
const C22: i32 = 3;
const NONE: i32 = -1;

/** Only setStrassen writes this variable. */
let isEnabled: bool = true;

/** Switches the algorithm on or off and returns the old state. Tests compare it with blocked products. */
export function setStrassen(isOn: bool): i32 {
  const before = isEnabled;
  isEnabled = isOn;
  return i32(before);
}

/** True if a product can use Strassen's algorithm: sides of at least MIN_SIDE, m even, k a multiple of four, n a multiple of two panels. */
// @ts-ignore: decorator
@inline
export function usesStrassen(m: i32, n: i32, k: i32): bool {
  return isEnabled && min(m, min(n, k)) >= MIN_SIDE && (m & 1) == 0 && (k & 3) == 0 && n % (2 * COLUMNS) == 0;
}

/**
 * Sets entry `index` of the product table: operands of B [2 k, 2 n] from packOperands, and the addend and output of the product.
 * A is multiplied by all entries at once (fused-projection.ts). Other arguments as in `multiply`.
 */
export function setProduct(index: i32, b: usize, addend: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32): void {
  const at = PRODUCTS + <usize>index * PRODUCT_BYTES;
  store<usize>(at, b);
  store<usize>(at, addend, 4);
  store<usize>(at, out, 8);
  store<usize>(at, outRow, 12);
  store<i32>(at, n, 16);
  store<usize>(at, <usize>m * outRow, 20);
  store<usize>(at, operandBytes(k, n), 24);
}

/** out [2 m, 2 n] = addend + A [2 m, 2 k] B, for each of the first `products` entries of the table. Other arguments as in `multiply`. */
export function strassen(a: usize, aRow: usize, aCol: usize, products: i32, m: i32, k: i32, edge: usize): void {
  const depth = partSize(k, DEPTH);
  const ahead = rowsAhead(k << 3);
  if (aRow == 4) prefetchRows(a, 2 * k, <usize>m << 3, aCol);
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    if (aCol == 4 && i % ahead == 0) prefetchHalves(a, aRow, products, i, min(ahead, m - i), m, k);
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      let a11 = a + <usize>i * aRow + <usize>x * aCol;
      let a12 = a11 + <usize>k * aCol, a21 = a11 + <usize>m * aRow;
      let a22 = a21 + <usize>k * aCol;
      let row = aRow;
      if (aCol != 4) {
        transposeAPanel(a11, aRow, aCol, rows, inner, A11);
        transposeAPanel(a12, aRow, aCol, rows, inner, A12);
        transposeAPanel(a21, aRow, aCol, rows, inner, A21);
        transposeAPanel(a22, aRow, aCol, rows, inner, A22);
        a11 = A11;
        a12 = A12;
        a21 = A21;
        a22 = A22;
        row = A_PANEL_ROW;
      }
      // The first product of each quadrant includes the addend.
      packASum(a21, a11, -1, row, rows, inner);
      multiplyProducts(products, M6, true, C22, NONE, 0, k, i, x, rows, inner, edge);
      packASum(a12, a22, -1, row, rows, inner);
      multiplyProducts(products, M7, true, C11, NONE, 0, k, i, x, rows, inner, edge);
      packASum(a21, a22, 1, row, rows, inner);
      multiplyProducts(products, M2, true, C21, C22, -1, k, i, x, rows, inner, edge);
      packAPanel(a11, row, 4, rows, inner);
      multiplyProducts(products, M3, true, C12, C22, 1, k, i, x, rows, inner, edge);
      packASum(a11, a22, 1, row, rows, inner);
      multiplyProducts(products, M1, false, C11, C22, 1, k, i, x, rows, inner, edge);
      packAPanel(a22, row, 4, rows, inner);
      multiplyProducts(products, M4, false, C11, C21, 1, k, i, x, rows, inner, edge);
      packASum(a11, a12, 1, row, rows, inner);
      multiplyProducts(products, M5, false, C12, C11, -1, k, i, x, rows, inner, edge);
    }
  }
}

/** Prefetches rows i.. of both halves of A and of the addends. Rows of A must be dense. */
function prefetchHalves(a: usize, aRow: usize, products: i32, i: i32, count: i32, m: i32, k: i32): void {
  for (let half = 0; half < 2; half++) {
    prefetchRows(a + <usize>i * aRow, count, <usize>k << 3, aRow);
    for (let at = PRODUCTS; at < PRODUCTS + <usize>products * PRODUCT_BYTES; at += PRODUCT_BYTES) {
      const from = load<usize>(at, 4), row = load<usize>(at, 12);
      if (from != 0) prefetchRows(from + <usize>i * row, count, <usize>load<i32>(at, 16) << 3, row);
    }
    i += m;
  }
}

/**
 * Multiplies the micro-panel by operand `operand` of each B. The micro-panel holds rows i.. and columns x.. of a sum of A's
 * quadrants [m, k]. Adds the product to quadrant `to` of C (isFirst: to the addend, as the start of the quadrant). Adds `sign`
 * times the product to quadrant `second`.
 */
// @ts-ignore: decorator
@inline
function multiplyProducts(
  products: i32, operand: i32, isFirst: bool, to: i32, second: i32, sign: f32, k: i32, i: i32, x: i32, rows: i32, inner: i32, edge: usize,
): void {
  for (let at = PRODUCTS; at < PRODUCTS + <usize>products * PRODUCT_BYTES; at += PRODUCT_BYTES) {
    const from = load<usize>(at, 4), out = load<usize>(at, 8), outRow = load<usize>(at, 12);
    const n = load<i32>(at, 16);
    const target = quadrantOffset(to, at, <usize>i * outRow);
    const addend = !isFirst || x > 0 ? out + target : from != 0 ? from + target : 0;
    const b = load<usize>(at) + <usize>operand * load<usize>(at, 24) + <usize>x * B_PANEL_ROW;
    const secondTarget: usize = second == NONE ? 0 : out + quadrantOffset(second, at, <usize>i * outRow);
    multiplyAPanel(b, <usize>k * B_PANEL_ROW, addend, out + target, secondTarget, sign, outRow, rows, n, inner, edge);
  }
}

/** The offset in C of a row of a quadrant. The row is `row` bytes from its quadrant's first row. */
// @ts-ignore: decorator
@inline
function quadrantOffset(quadrant: i32, product: usize, row: usize): usize {
  const far: usize = (quadrant & 1) == 0 ? 0 : <usize>load<i32>(product, 16) << 2;
  return row + far + (quadrant < C21 ? 0 : load<usize>(product, 20));
}
