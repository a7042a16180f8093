/**
 * Blocked matrix products. A block of B is packed and stays in the second-level cache while micro-panels of six rows of A are
 * multiplied by it (microkernel.ts). Large matrices use Strassen's algorithm (strassen.ts). Products with one to three rows, as
 * in decoding, read B without packing (matvec.ts). Operands are described by strides, so one routine serves every transposition.
 */
import { operandsBytes, packOperands } from "./strassen-operands";
import { packBPanels, scaleColumns, scaleBPanels, transposeScaled } from "./pack";
import { prefetchRows } from "./prefetch";
import { usesStrassen, setProduct, strassen } from "./strassen";
import { B_PANEL_ROW, DEPTH, MICROTILE_BYTES, partSize } from "./layout";
import { multiply } from "./microkernel";
import { dotRows, sumRows } from "./matvec";

/** Columns of a block of B, and its size in floats. Strassen's operands of a block take 458 KB, half of a usual second-level cache. */
export const BLOCK_N: i32 = 384;
const BLOCK_SIZE: i32 = 65536;
/** With fewer rows of A, packing B costs more than it saves. */
const PACKED_ROWS: i32 = 4;

/** Maximum rows of a block of B [k, n]. A multiple of two micro-panels, because Strassen's algorithm halves a block. */
// @ts-ignore: decorator
@inline
function maxBlockDepth(n: i32): i32 {
  return (BLOCK_SIZE / min(n, BLOCK_N)) & ~(2 * DEPTH - 1);
}

/** Rows of a block of B [k, n]. */
export function blockDepth(n: i32, k: i32): i32 {
  return min(k, partSize(k, maxBlockDepth(n)));
}

/** Bytes of scratch for packing B [k, n]. Also enough for any smaller k. */
export function packBytes(n: i32, k: i32): usize {
  return operandsBytes(min(k, maxBlockDepth(n)), min(n, BLOCK_N)) + MICROTILE_BYTES;
}

/**
 * True if A^T B is computed as (B^T A)^T, for example for the gradient of a weight that is at least twice as tall as wide.
 * Strassen's algorithm packs each micro-panel seven times. The transposed product has fewer micro-panels and multiplies each by
 * more panels. Strides as in matMul.
 */
// @ts-ignore: decorator
@inline
function prefersTransposed(m: i32, n: i32, k: i32, aRow: i32, bCol: i32): bool {
  return aRow == 1 && bCol == 1 && m >= 2 * n && ((m | n) & 3) == 0 && usesStrassen(n, min(m, BLOCK_N), k);
}

/** Bytes of a block of columns of the transposed product. */
// @ts-ignore: decorator
@inline
function transposedBytes(m: i32, n: i32): usize {
  return (<usize>n * min(m, BLOCK_N)) << 2;
}

/** @query Bytes of scratch for matMul, with the same arguments. */
export function matMulBytes(m: i32, n: i32, k: i32, aRow: i32, bCol: i32): usize {
  // A product with an addend is not transposed. A single column is computed as a single row.
  const plain = packBytes(n == 1 ? max(m, 1) : n, k);
  if (!prefersTransposed(m, n, k, aRow, bCol)) return plain;
  // A narrower last block is longer and may need more scratch.
  const width = min(m, BLOCK_N);
  const last = m % width;
  return max(plain, transposedBytes(m, n) + max(packBytes(width, k), last > 0 ? packBytes(last, k) : 0));
}

/**
 * out [batch, m, n] = addend + A [batch, m, k] B [batch, k, n], dense. The addend has out's layout and may be out; 0: no addend.
 * Strides are in floats: element (i, x) of A is at a + 4 (i aRow + x aCol), the next matrix of the batch at a + 4 aStep. The
 * same holds for B. `pack` is scratch of matMulBytes.
 */
export function matMul(
  a: usize, b: usize, addend: usize, out: usize, batch: i32, m: i32, n: i32, k: i32, aStep: i32, aRow: i32, aCol: i32,
  bStep: i32, bRow: i32, bCol: i32, pack: usize,
): void {
  const bytes = (<usize>m * n) << 2;
  if (k == 0) {
    if (addend != 0) memory.copy(out, addend, <usize>batch * bytes);
    else memory.fill(out, 0, <usize>batch * bytes);
    return;
  }
  for (let i = 0; i < batch; i++) {
    const left = a + ((<usize>i * aStep) << 2);
    const right = b + ((<usize>i * bStep) << 2);
    const to = out + <usize>i * bytes;
    const from = addend != 0 ? addend + <usize>i * bytes : 0;
    // A single column is computed as a single row of the transposed product: the order in memory is the same.
    if (addend == 0 && prefersTransposed(m, n, k, aRow, bCol)) transposedProduct(left, right, to, m, n, k, <usize>aCol << 2, <usize>bRow << 2, 0, 0, pack);
    else if (n == 1) product(right, left, from, to, 1, m, k, <usize>bCol << 2, <usize>bRow << 2, <usize>aCol << 2, <usize>aRow << 2, pack);
    else product(left, right, from, to, m, n, k, <usize>aRow << 2, <usize>aCol << 2, <usize>bRow << 2, <usize>bCol << 2, pack);
  }
}

/** One product, with strides in bytes. */
function product(
  a: usize, b: usize, addend: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize, pack: usize,
): void {
  if (addend == 0 && m < PACKED_ROWS && (aCol == 4 || k == 1)) {
    if (bRow == 4 || k == 1) return dotRows(a, aRow, b, bCol, out, <usize>n << 2, m, n, k);
    if (bCol == 4) return sumRows(a, aRow, b, bRow, out, m, n, k);
  }
  blocked(a, b, addend, out, m, n, k, aRow, aCol, bRow, bCol, 0, pack);
}

/**
 * out [m, n] = A^T S B G, computed as blocks of columns of its transpose. Rows of A [k, m] and B [k, n] are dense. S and G are
 * diagonal matrices with the values `scales` [k] and `gains` [n]; 0: leave out.
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

/** Bytes of scratch for normedWeightGrad. */
export function normedWeightGradBytes(m: i32, n: i32, k: i32): usize {
  return max(packBytes(n, k), matMulBytes(m, n, k, 1, 1));
}

/** out [m, n] = A^T S B G as in `transposedProduct`, for dense A [k, m] and B [k, n]. `pack` is scratch of normedWeightGradBytes. */
export function normedWeightGrad(a: usize, b: usize, scales: usize, gains: usize, out: usize, m: i32, n: i32, k: i32, pack: usize): void {
  if (m == 0) return;
  const aRow = <usize>m << 2, bRow = <usize>n << 2;
  if (prefersTransposed(m, n, k, 1, 1)) return transposedProduct(a, b, out, m, n, k, aRow, bRow, scales, gains, pack);
  blocked(a, b, 0, out, m, n, k, 4, aRow, bRow, 4, scales, pack);
  scaleColumns(out, m, n, gains);
}

/**
 * Transposes a block [n, width] with a row stride of `row` bytes to `out` with a row stride of `outRow` bytes. Multiplies row i
 * by gains[i] (0: no gains). n and width are multiples of four.
 */
export function transposeBlock(block: usize, row: usize, out: usize, outRow: usize, n: i32, width: i32, gains: usize): void {
  // Without prefetching, each write would wait for its cache line.
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

/** `product` with packed blocks of B. Multiplies the rows of B by `scales` (0: no scales). */
function blocked(
  a: usize, b: usize, addend: usize, out: usize, m: i32, n: i32, k: i32, aRow: usize, aCol: usize, bRow: usize, bCol: usize,
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
      const from = x > 0 ? target : addend != 0 ? addend + (<usize>j << 2) : 0;
      const rowScales: usize = scales != 0 ? scales + (<usize>x << 2) : 0;
      if (usesStrassen(m, width, inner)) {
        packOperands(right, inner / 2, width / 2, bRow, bCol, rowScales, pack);
        setProduct(0, pack, from, target, <usize>n << 2, m / 2, width / 2, inner / 2);
        strassen(left, aRow, aCol, 1, m / 2, inner / 2, edge);
      } else {
        packBPanels(right, inner, width, bRow, bCol, pack);
        if (rowScales != 0) scaleBPanels(pack, inner, width, rowScales);
        multiply(left, aRow, aCol, pack, <usize>inner * B_PANEL_ROW, from, target, <usize>n << 2, m, width, inner, edge);
      }
    }
  }
}
