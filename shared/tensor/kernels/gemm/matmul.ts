/**
 * matMul, blocked for the caches: a block of B is packed (it stays in L2), and strips of six rows of A walk its panels
 * (tile.ts), of large matrices by Strassen's algorithm (strassen.ts). One to three rows (decoding) stream B instead
 * (matvec.ts). All strides describe the operands, so every transposition is one routine.
 */
import { operandsBytes, packOperands } from "./strassen-operands";
import { packBPanels, scaleColumns, scaleBPanels, transposeScaled } from "./pack";
import { prefetchRows } from "./prefetch";
import { usesStrassen, setProduct, strassen } from "./strassen";
import { B_PANEL_ROW, DEPTH, MICROTILE_BYTES, partSize } from "./layout";
import { multiply } from "./microkernel";
import { dotRows, sumRows } from "./matvec";

/** Columns of a block, and its numbers: 458 KB as the factors of strassen.ts, half of a usual L2. */
export const BLOCK_N: i32 = 384;
const BLOCK: i32 = 65536;
/** Fewer rows than this do not repay packing B. */
const PACKED_ROWS: i32 = 4;

/** Rows that a block of B [k, n] has at most: such that each half of them is written out whole (strassen.ts). */
// @ts-ignore: decorator
@inline
function maxBlockDepth(n: i32): i32 {
  return (BLOCK / min(n, BLOCK_N)) & ~(2 * DEPTH - 1);
}

/** Rows of a block of B [k, n]. */
export function blockDepth(n: i32, k: i32): i32 {
  return min(k, partSize(k, maxBlockDepth(n)));
}

/** Bytes of scratch for packing B [k, n], and each with less k. */
export function packBytes(n: i32, k: i32): usize {
  return operandsBytes(min(k, maxBlockDepth(n)), min(n, BLOCK_N)) + MICROTILE_BYTES;
}

/**
 * Whether A^T B is computed as (B^T A)^T, as for the gradient of a weight that is at least twice as tall as wide: a strip
 * of the shorter side's rows, which is made seven times over (strassen.ts), then walks more panels. Strides as in matMul.
 */
// @ts-ignore: decorator
@inline
function prefersTransposed(m: i32, n: i32, k: i32, aRow: i32, bCol: i32): bool {
  return aRow == 1 && bCol == 1 && m >= 2 * n && ((m | n) & 3) == 0 && usesStrassen(n, min(m, BLOCK_N), k);
}

/** Bytes of a block of columns of the turned product. */
// @ts-ignore: decorator
@inline
function transposedBytes(m: i32, n: i32): usize {
  return (<usize>n * min(m, BLOCK_N)) << 2;
}

/** @query Bytes of scratch that matMul needs; arguments as there. */
export function matMulBytes(m: i32, n: i32, k: i32, aRow: i32, bCol: i32): usize {
  // With something to add to, no product is turned, and one with a single column is that of its row.
  const plain = packBytes(n == 1 ? max(m, 1) : n, k);
  if (!prefersTransposed(m, n, k, aRow, bCol)) return plain;
  // A narrower last block is packed deeper, which may take more than the ones before.
  const width = min(m, BLOCK_N);
  const last = m % width;
  return max(plain, transposedBytes(m, n) + max(packBytes(width, k), last > 0 ? packBytes(last, k) : 0));
}

/**
 * out [batch, m, n] = from + A [batch, m, k] B [batch, k, n], where `from` lies as out does and may be out, or is 0 for
 * none. In each of the batch, which aStep and bStep floats part, element (i, x) of A lies at a + 4 (i aRow + x aCol),
 * likewise B; out is dense. `pack` is scratch of matMulBytes.
 */
export function matMul(
  a: usize, b: usize, from: usize, out: usize, batch: i32, m: i32, n: i32, k: i32, aStep: i32, aRow: i32, aCol: i32,
  bStep: i32, bRow: i32, bCol: i32, pack: usize,
): void {
  const bytes = (<usize>m * n) << 2;
  if (k == 0) {
    if (from != 0) memory.copy(out, from, <usize>batch * bytes);
    else memory.fill(out, 0, <usize>batch * bytes);
    return;
  }
  for (let i = 0; i < batch; i++) {
    const left = a + ((<usize>i * aStep) << 2);
    const right = b + ((<usize>i * bStep) << 2);
    const to = out + <usize>i * bytes;
    const addend = from != 0 ? from + <usize>i * bytes : 0;
    // A single column is a single row of the transposed product, whose elements lie in the same order.
    if (from == 0 && prefersTransposed(m, n, k, aRow, bCol)) transposedProduct(left, right, to, m, n, k, <usize>aCol << 2, <usize>bRow << 2, 0, 0, pack);
    else if (n == 1) product(right, left, addend, to, 1, m, k, <usize>bCol << 2, <usize>bRow << 2, <usize>aCol << 2, <usize>aRow << 2, pack);
    else product(left, right, addend, to, m, n, k, <usize>aRow << 2, <usize>aCol << 2, <usize>bRow << 2, <usize>bCol << 2, pack);
  }
}

/** One product; strides in bytes. */
function product(
  a: usize, b: usize, from: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize, pack: usize,
): void {
  if (from == 0 && m < PACKED_ROWS && (aCol == 4 || k == 1)) {
    if (bRow == 4 || k == 1) return dotRows(a, aRow, b, bCol, out, <usize>n << 2, m, n, k);
    if (bCol == 4) return sumRows(a, aRow, b, bRow, out, m, n, k);
  }
  blocked(a, b, from, out, m, n, k, aRow, aCol, bRow, bCol, 0, pack);
}

/**
 * out [m, n] = A^T S B G of rows of A [k, m] and B [k, n] that are dense, by columns of the turned product. S and G have
 * `scales` [k] and `gains` [n] on their diagonals, or are not there where these are 0.
 */
function transposedProduct(
  a: usize, b: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, bRow: usize, scales: usize, gains: usize, block: usize,
): void {
  const pack = block + transposedBytes(m, n);
  const outRow = <usize>n << 2;
  for (let first = 0; first < m; first += BLOCK_N) {
    const width = min(BLOCK_N, m - first);
    const row = <usize>width << 2;
    blocked(b, a + (<usize>first << 2), 0, block, n, width, k, 4, bRow, aRow, 4, scales, pack);
    transposeBlock(block, row, out + <usize>first * outRow, outRow, n, width, gains);
  }
}

/** Bytes of scratch that normGradient needs. */
export function normedWeightGradBytes(m: i32, n: i32, k: i32): usize {
  return max(packBytes(n, k), matMulBytes(m, n, k, 1, 1));
}

/** out [m, n] = A^T S B G for dense A [k, m] and B [k, n], scales and gains as in `turned`; `pack` is scratch of normGradientBytes. */
export function normedWeightGrad(a: usize, b: usize, scales: usize, gains: usize, out: usize, m: i32, n: i32, k: i32, pack: usize): void {
  if (m == 0) return;
  const aRow = <usize>m << 2, bRow = <usize>n << 2;
  if (prefersTransposed(m, n, k, 1, 1)) return transposedProduct(a, b, out, m, n, k, aRow, bRow, scales, gains, pack);
  blocked(a, b, 0, out, m, n, k, 4, aRow, bRow, 4, scales, pack);
  scaleColumns(out, m, n, gains);
}

/**
 * The block [n, width] is written as columns, `outRow` bytes from one to the next, each row multiplied with one of `gains`, if
 * these are not 0; both sizes are multiples of four.
 */
export function transposeBlock(block: usize, row: usize, out: usize, outRow: usize, n: i32, width: i32, gains: usize): void {
  // Else each line that is written would be waited for alone.
  prefetchRows(out, width, <usize>n << 2, outRow);
  for (let j = 0; j < width; j += 4) {
    for (let i: usize = 0; i < <usize>n << 2; i += 16) {
      const source = block + (i >> 2) * row + (<usize>j << 2);
      if (gains == 0) transposeScaled(false, source, row, out + i, outRow, f32x4.splat(1));
      else transposeScaled(true, source, row, out + i, outRow, v128.load(gains + i));
    }
    out += 4 * outRow;
  }
}

/** B's rows are multiplied with `scales`, if these are not 0; else as in `product`. */
function blocked(
  a: usize, b: usize, from: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize,
  scales: usize, pack: usize,
): void {
  const depth = blockDepth(n, k);
  const edge = pack + operandsBytes(depth, min(n, BLOCK_N));
  for (let j = 0; j < n; j += BLOCK_N) {
    const width = min(BLOCK_N, n - j);
    for (let x = 0; x < k; x += depth) {
      const inner = min(depth, k - x);
      const left = a + <usize>x * aCol;
      const right = b + <usize>x * bRow + <usize>j * bCol;
      const target = out + (<usize>j << 2);
      const addend = x > 0 ? target : from != 0 ? from + (<usize>j << 2) : 0;
      const factors: usize = scales != 0 ? scales + (<usize>x << 2) : 0;
      if (usesStrassen(m, width, inner)) {
        packOperands(right, inner / 2, width / 2, bRow, bCol, factors, pack);
        setProduct(0, pack, addend, target, <usize>n << 2, m / 2, width / 2, inner / 2);
        strassen(left, aRow, aCol, 1, m / 2, inner / 2, edge);
      } else {
        packBPanels(right, inner, width, bRow, bCol, pack);
        if (factors != 0) scaleBPanels(pack, inner, width, factors);
        multiply(left, aRow, aCol, pack, <usize>inner * B_PANEL_ROW, addend, target, <usize>n << 2, m, width, inner, edge);
      }
    }
  }
}
