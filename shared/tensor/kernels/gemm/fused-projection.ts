/**
 * Fused projections: products of one matrix with two or three others, for example a block's input with the weights of Q, K and
 * V. If all products can use Strassen's algorithm (strassen.ts), the micro-panels of the first matrix and their sums are packed
 * once for all. Else the products are separate. An absent third matrix has zero columns.
 */
import { operandsBytes, packOperands } from "./strassen-operands";
import { BLOCK_N, blockDepth, matMul, normedWeightGrad, normedWeightGradBytes, packBytes, transposeBlock } from "./matmul";
import { usesStrassen, setProduct, strassen } from "./strassen";
import { MICROTILE_BYTES } from "./layout";

// @ts-ignore: decorator
@inline
function canShare(m: i32, n: i32, k: i32): bool {
  return n == 0 || usesStrassen(m, n, k);
}

/**
 * True if A [m, k] is packed once for all matrices. All their columns together must fit into one block: beyond a block, slower
 * caches cost as much as sharing saves. m must be a multiple of four for `transposeBlock`.
 */
function isShared(m: i32, k: i32, n0: i32, n1: i32, n2: i32): bool {
  const n = n0 + n1 + n2;
  if (n > BLOCK_N || (m & 3) != 0) return false;
  const depth = blockDepth(n, k);
  return k % depth == 0 && canShare(m, n0, depth) && canShare(m, n1, depth) && canShare(m, n2, depth);
}

/** Bytes of the operands of all matrices, plus a microtile. */
function sharedBytes(k: i32, n0: i32, n1: i32, n2: i32): usize {
  const depth = blockDepth(n0 + n1 + n2, k);
  return operandsBytes(depth, n0) + operandsBytes(depth, n1) + operandsBytes(depth, n2) + MICROTILE_BYTES;
}

/** @query Bytes of scratch for fusedProjection. */
export function fusedProjectionBytes(m: i32, k: i32, n0: i32, n1: i32, n2: i32): usize {
  if (isShared(m, k, n0, n1, n2)) return sharedBytes(k, n0, n1, n2);
  // A narrower matrix has longer blocks, which may need more scratch.
  return max(packBytes(n0, k), max(packBytes(n1, k), n2 > 0 ? packBytes(n2, k) : 0));
}

/** x [m, k], weights [n, k] -> x weight^T [m, n] for each weight, dense. `pack` is scratch of fusedProjectionBytes. */
export function fusedProjection(
  x: usize, w0: usize, w1: usize, w2: usize, out0: usize, out1: usize, out2: usize, m: i32, k: i32, n0: i32, n1: i32, n2: i32, pack: usize,
): void {
  if (!isShared(m, k, n0, n1, n2)) {
    singleProjection(x, w0, out0, m, k, n0, pack);
    singleProjection(x, w1, out1, m, k, n1, pack);
    singleProjection(x, w2, out2, m, k, n2, pack);
    return;
  }
  const row = <usize>k << 2;
  const depth = blockDepth(n0 + n1 + n2, k);
  for (let first = 0; first < k; first += depth) {
    const at = <usize>first << 2;
    let next = packEntry(0, w0 + at, 4, row, 0, pack, first > 0, out0, m, n0, depth);
    next = packEntry(1, w1 + at, 4, row, 0, next, first > 0, out1, m, n1, depth);
    next = packEntry(2, w2 + at, 4, row, 0, next, first > 0, out2, m, n2, depth);
    strassen(x + at, row, 4, n2 > 0 ? 3 : 2, m / 2, depth / 2, next);
  }
}

function singleProjection(x: usize, weight: usize, out: usize, m: i32, k: i32, n: i32, pack: usize): void {
  if (n > 0) matMul(x, weight, 0, out, 1, m, n, k, 0, k, 1, 0, 1, k, pack);
}

/**
 * Packs a matrix as entry `index` of the product table and returns the end of its operands. Multiplies its rows by `scales` (0:
 * no scales).
 */
function packEntry(
  index: i32, b: usize, bRow: usize, bCol: usize, scales: usize, pack: usize, isAdded: bool, out: usize, m: i32, n: i32, depth: i32,
): usize {
  if (n == 0) return pack;
  packOperands(b, depth / 2, n / 2, bRow, bCol, scales, pack);
  setProduct(index, pack, isAdded ? out : 0, out, <usize>n << 2, m / 2, n / 2, depth / 2);
  return pack + operandsBytes(depth, n);
}

/** @query Bytes of scratch for fusedWeightGrads. */
export function fusedWeightGradsBytes(m: i32, k: i32, n0: i32, n1: i32, n2: i32): usize {
  if (isShared(m, k, n0, n1, n2)) return sharedBytes(k, n0, n1, n2) + ((<usize>m * (n0 + n1 + n2)) << 2);
  return max(normedWeightGradBytes(n0, m, k), max(normedWeightGradBytes(n1, m, k), normedWeightGradBytes(n2, m, k)));
}

/**
 * The gradients of weights that RMSNorm(x) was multiplied by: x [k, m], inverse [k] and weight [m] of the norm
 * (pointwise/rms-norm.ts), dy [k, n] -> dy^T norm(x) [n, m] for each dy, dense. `pack` is scratch of fusedWeightGradsBytes.
 * norm(x) itself is not computed: packing multiplies rows by `inverse`, and the result's columns are multiplied by `weight`.
 */
export function fusedWeightGrads(
  x: usize, inverse: usize, weight: usize, dy0: usize, dy1: usize, dy2: usize, out0: usize, out1: usize, out2: usize,
  m: i32, k: i32, n0: i32, n1: i32, n2: i32, pack: usize,
): void {
  if (isShared(m, k, n0, n1, n2)) return sharedWeightGrads(x, inverse, weight, dy0, dy1, dy2, out0, out1, out2, m, k, n0, n1, n2, pack);
  normedWeightGrad(dy0, x, inverse, weight, out0, n0, m, k, pack);
  normedWeightGrad(dy1, x, inverse, weight, out1, n1, m, k, pack);
  normedWeightGrad(dy2, x, inverse, weight, out2, n2, m, k, pack);
}

/** Computes x^T dy and transposes the result. In this order x is the first matrix, whose micro-panels are packed once. */
function sharedWeightGrads(
  x: usize, inverse: usize, weight: usize, dy0: usize, dy1: usize, dy2: usize, out0: usize, out1: usize, out2: usize,
  m: i32, k: i32, n0: i32, n1: i32, n2: i32, block0: usize,
): void {
  const block1 = block0 + ((<usize>m * n0) << 2);
  const block2 = block1 + ((<usize>m * n1) << 2);
  const pack = block2 + ((<usize>m * n2) << 2);
  const depth = blockDepth(n0 + n1 + n2, k);
  for (let first = 0; first < k; first += depth) {
    const scales = inverse + (<usize>first << 2);
    let next = packEntry(0, dy0 + ((<usize>first * n0) << 2), <usize>n0 << 2, 4, scales, pack, first > 0, block0, m, n0, depth);
    next = packEntry(1, dy1 + ((<usize>first * n1) << 2), <usize>n1 << 2, 4, scales, next, first > 0, block1, m, n1, depth);
    next = packEntry(2, dy2 + ((<usize>first * n2) << 2), <usize>n2 << 2, 4, scales, next, first > 0, block2, m, n2, depth);
    strassen(x + ((<usize>first * m) << 2), 4, <usize>m << 2, n2 > 0 ? 3 : 2, m / 2, depth / 2, next);
  }
  transposeBlock(block0, <usize>n0 << 2, out0, <usize>m << 2, m, n0, weight);
  transposeBlock(block1, <usize>n1 << 2, out1, <usize>m << 2, m, n1, weight);
  transposeBlock(block2, <usize>n2 << 2, out2, <usize>m << 2, m, n2, weight);
}
