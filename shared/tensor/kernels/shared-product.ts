/**
 * Products of one matrix with two or three others, as of a block's input with queries', keys' and values' weights: where all
 * go by quadrants (strassen.ts), strips of the one and their sums are made once for all. Else they are products like others.
 * A third matrix that is not there has no columns.
 */
import { BLOCK_N, blockDepth, matMul, matMulBytes, packBytes, turn } from "./matmul";
import { factorsBytes, isStrassen, packFactors, setRight, strassen } from "./strassen";
import { TILE_BYTES } from "./tile";

// @ts-ignore: decorator
@inline
function isWhole(m: i32, n: i32, k: i32): bool {
  return n == 0 || isStrassen(m, n, k);
}

/**
 * Whether A [m, k] shares its strips among matrices of that many columns, which together are one block: beyond that, factors
 * that come from farther away cost what strips save. Rows are a multiple of four, for `turn`.
 */
function isShared(m: i32, k: i32, n0: i32, n1: i32, n2: i32): bool {
  const n = n0 + n1 + n2;
  if (n > BLOCK_N || (m & 3) != 0) return false;
  const depth = blockDepth(n, k);
  return k % depth == 0 && isWhole(m, n0, depth) && isWhole(m, n1, depth) && isWhole(m, n2, depth);
}

/** Bytes of the factors of all of them, and of a tile. */
function sharedBytes(k: i32, n0: i32, n1: i32, n2: i32): usize {
  const depth = blockDepth(n0 + n1 + n2, k);
  return factorsBytes(depth, n0) + factorsBytes(depth, n1) + factorsBytes(depth, n2) + TILE_BYTES;
}

/** Bytes of scratch for `project`. */
export function projectBytes(m: i32, k: i32, n0: i32, n1: i32, n2: i32): usize {
  if (isShared(m, k, n0, n1, n2)) return sharedBytes(k, n0, n1, n2);
  // A narrower matrix is packed deeper, which may take more.
  return max(packBytes(n0, k), max(packBytes(n1, k), n2 > 0 ? packBytes(n2, k) : 0));
}

/** x [m, k], weights [n, k] -> x weight^T, dense [m, n] each; `pack` is scratch of projectBytes. */
export function project(
  x: usize, w0: usize, w1: usize, w2: usize, out0: usize, out1: usize, out2: usize, m: i32, k: i32, n0: i32, n1: i32, n2: i32, pack: usize,
): void {
  if (!isShared(m, k, n0, n1, n2)) {
    projectOne(x, w0, out0, m, k, n0, pack);
    projectOne(x, w1, out1, m, k, n1, pack);
    projectOne(x, w2, out2, m, k, n2, pack);
    return;
  }
  const row = <usize>k << 2;
  const depth = blockDepth(n0 + n1 + n2, k);
  for (let first = 0; first < k; first += depth) {
    const at = <usize>first << 2;
    let to = right(0, w0 + at, 4, row, pack, first > 0, out0, m, n0, depth);
    to = right(1, w1 + at, 4, row, to, first > 0, out1, m, n1, depth);
    to = right(2, w2 + at, 4, row, to, first > 0, out2, m, n2, depth);
    strassen(x + at, row, 4, n2 > 0 ? 3 : 2, m / 2, depth / 2, to);
  }
}

function projectOne(x: usize, weight: usize, out: usize, m: i32, k: i32, n: i32, pack: usize): void {
  if (n > 0) matMul(x, weight, 0, out, 1, m, n, k, 0, k, 1, 0, 1, k, pack);
}

/** Packs a matrix and puts it in its place among those that A is multiplied with -> where its factors end. */
function right(index: i32, b: usize, bRow: usize, bCol: usize, pack: usize, isAdded: bool, out: usize, m: i32, n: i32, depth: i32): usize {
  if (n == 0) return pack;
  packFactors(b, depth / 2, n / 2, bRow, bCol, pack);
  setRight(index, pack, isAdded ? out : 0, out, <usize>n << 2, m / 2, n / 2, depth / 2);
  return pack + factorsBytes(depth, n);
}

/** Bytes of scratch for weightGradients. */
export function weightGradientsBytes(m: i32, k: i32, n0: i32, n1: i32, n2: i32): usize {
  if (isShared(m, k, n0, n1, n2)) return sharedBytes(k, n0, n1, n2) + ((<usize>m * (n0 + n1 + n2)) << 2);
  return max(matMulBytes(n0, m, k, 1, 1), max(matMulBytes(n1, m, k, 1, 1), matMulBytes(n2, m, k, 1, 1)));
}

/** x [k, m], dy [k, n] -> dy^T x, dense [n, m] each; `pack` is scratch of weightGradientsBytes. */
export function weightGradients(
  x: usize, dy0: usize, dy1: usize, dy2: usize, out0: usize, out1: usize, out2: usize, m: i32, k: i32, n0: i32, n1: i32, n2: i32, pack: usize,
): void {
  if (!isShared(m, k, n0, n1, n2)) {
    weightGradient(x, dy0, out0, m, k, n0, pack);
    weightGradient(x, dy1, out1, m, k, n1, pack);
    weightGradient(x, dy2, out2, m, k, n2, pack);
    return;
  }
  // x^T dy, which is turned in the end: so it is x whose strips are made once.
  const block1 = pack + ((<usize>m * n0) << 2);
  const block2 = block1 + ((<usize>m * n1) << 2);
  const packs = block2 + ((<usize>m * n2) << 2);
  const depth = blockDepth(n0 + n1 + n2, k);
  for (let first = 0; first < k; first += depth) {
    let to = right(0, dy0 + ((<usize>first * n0) << 2), <usize>n0 << 2, 4, packs, first > 0, pack, m, n0, depth);
    to = right(1, dy1 + ((<usize>first * n1) << 2), <usize>n1 << 2, 4, to, first > 0, block1, m, n1, depth);
    to = right(2, dy2 + ((<usize>first * n2) << 2), <usize>n2 << 2, 4, to, first > 0, block2, m, n2, depth);
    strassen(x + ((<usize>first * m) << 2), 4, <usize>m << 2, n2 > 0 ? 3 : 2, m / 2, depth / 2, to);
  }
  turn(pack, <usize>n0 << 2, out0, <usize>m << 2, m, n0);
  turn(block1, <usize>n1 << 2, out1, <usize>m << 2, m, n1);
  turn(block2, <usize>n2 << 2, out2, <usize>m << 2, m, n2);
}

function weightGradient(x: usize, dy: usize, out: usize, m: i32, k: i32, n: i32, pack: usize): void {
  if (n > 0) matMul(dy, x, 0, out, 1, n, m, k, 0, 1, n, 0, m, 1, pack);
}
