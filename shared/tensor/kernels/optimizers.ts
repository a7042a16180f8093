/**
 * In-place updates of parameters: AdamW (arXiv:1711.05101) and Nesterov momentum in one pass over memory; Muon
 * (kellerjordan.github.io/posts/muon) with Newton-Schulz iterations on the Gram matrix of the short side.
 */
import { matMul, packBytes } from "./gemm/matmul";
import { madd } from "./simd";
import { syrk } from "./gemm/syrk";

const STEPS: i32 = 3;

/**
 * NEWTON_SCHULZ a, b, c: the factors of X, G X and G^2 X in each step. Step 0 has Muon's factors, which change singular values
 * near 1 only a little; a matrix of small rank has such values. The later steps have the factors that minimise the largest error
 * for singular values from 0.002 on, as in Polar Express (arXiv:2505.16932). Values from 0.002 to 1 end between 0.18 and 1.82.
 * Five steps with Muon's factors do not train better (shared/tensor/README.md).
 *
 * The factors are functions, because an array would add a data segment, which would overwrite tfjs's memory.
 */
// @ts-ignore: decorator
@inline
function newtonSchulzA(step: i32): f32 {
  return step == 0 ? 3.4445 : step == 1 ? 6.8765283 : 3.8710215;
}

/** NEWTON_SCHULZ b */
// @ts-ignore: decorator
@inline
function newtonSchulzB(step: i32): f32 {
  return step == 0 ? -4.775 : step == 1 ? -13.985199 : -2.8898153;
}

/** NEWTON_SCHULZ c */
// @ts-ignore: decorator
@inline
function newtonSchulzC(step: i32): f32 {
  return step == 0 ? 2.0315 : step == 1 ? 7.1605646 : 0.55565567;
}

/** Added to the norm as in optimizer-plain.ts, so that a zero gradient stays zero. */
const NORM_EPSILON: f32 = 1e-7;

/** Sum of squares of n floats: float32 in four lanes within a block, float64 across blocks. */
export function sumOfSquares(x: usize, n: i32): f64 {
  let total: f64 = 0;
  for (let first = 0; first < n; first += 4096) {
    const end = min(n, first + 4096);
    let sum = f32x4.splat(0);
    let i = first;
    for (; i + 4 <= end; i += 4) {
      const value = v128.load(x + (<usize>i << 2));
      sum = madd(value, value, sum);
    }
    total += <f64>f32x4.extract_lane(sum, 0) + <f64>f32x4.extract_lane(sum, 1) + (<f64>f32x4.extract_lane(sum, 2) + <f64>f32x4.extract_lane(sum, 3));
    for (; i < end; i++) {
      const value = load<f32>(x + (<usize>i << 2));
      total += <f64>value * <f64>value;
    }
  }
  return total;
}

/** x [n] *= factor */
export function scaleInPlace(x: usize, n: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  let i = 0;
  for (; i + 4 <= n; i += 4) v128.store(x + (<usize>i << 2), f32x4.mul(v128.load(x + (<usize>i << 2)), f));
  for (; i < n; i++) store<f32>(x + (<usize>i << 2), load<f32>(x + (<usize>i << 2)) * factor);
}

/** AdamW on n values. stepSize = lr / (1 - beta1^step), biasCorrection2 = 1 / (1 - beta2^step), decay = 1 - lr * weightDecay. */
export function adamUpdate(
  weight: usize, m: usize, v: usize, gradient: usize, n: i32, stepSize: f32, decay: f32, beta1: f32, beta2: f32, biasCorrection2: f32, epsilon: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(1 - beta1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(1 - beta2);
  const correction = f32x4.splat(biasCorrection2);
  const small = f32x4.splat(epsilon);
  const step = f32x4.splat(-stepSize);
  const kept = f32x4.splat(decay);
  let i: usize = 0;
  for (; i + 4 <= <usize>n; i += 4) {
    const at = i << 2;
    const g = v128.load(gradient + at);
    const first = madd(b1, v128.load(m + at), f32x4.mul(c1, g));
    const square = madd(b2, v128.load(v + at), f32x4.mul(c2, f32x4.mul(g, g)));
    v128.store(m + at, first);
    v128.store(v + at, square);
    const deviation = f32x4.add(f32x4.sqrt(f32x4.mul(square, correction)), small);
    v128.store(weight + at, madd(step, f32x4.div(first, deviation), f32x4.mul(kept, v128.load(weight + at))));
  }
  for (; i < <usize>n; i++) {
    const at = i << 2;
    const g = load<f32>(gradient + at);
    const first = beta1 * load<f32>(m + at) + (1 - beta1) * g;
    const square = beta2 * load<f32>(v + at) + (1 - beta2) * (g * g);
    store<f32>(m + at, first);
    store<f32>(v + at, square);
    store<f32>(weight + at, decay * load<f32>(weight + at) - stepSize * (first / (sqrt<f32>(square * biasCorrection2) + epsilon)));
  }
}

/** m = mu m + share g, then g = mu m + share g. m is the momentum; g becomes the Nesterov direction. */
function nesterovMomentum(m: usize, gradient: usize, n: i32, mu: f32, share: f32): void {
  const s = f32x4.splat(mu);
  const c = f32x4.splat(share);
  let i: usize = 0;
  for (; i + 4 <= <usize>n; i += 4) {
    const at = i << 2;
    const g = f32x4.mul(c, v128.load(gradient + at));
    const momentum = madd(s, v128.load(m + at), g);
    v128.store(m + at, momentum);
    v128.store(gradient + at, madd(s, momentum, g));
  }
  for (; i < <usize>n; i++) {
    const at = i << 2;
    const g = share * load<f32>(gradient + at);
    const momentum = mu * load<f32>(m + at) + g;
    store<f32>(m + at, momentum);
    store<f32>(gradient + at, mu * momentum + g);
  }
}

/** weight = decay weight - stepSize direction */
function applyUpdate(weight: usize, direction: usize, n: i32, stepSize: f32, decay: f32): void {
  const r = f32x4.splat(-stepSize);
  const k = f32x4.splat(decay);
  let i: usize = 0;
  for (; i + 4 <= <usize>n; i += 4) {
    const at = i << 2;
    v128.store(weight + at, madd(r, v128.load(direction + at), f32x4.mul(k, v128.load(weight + at))));
  }
  for (; i < <usize>n; i++) {
    const at = i << 2;
    store<f32>(weight + at, decay * load<f32>(weight + at) - stepSize * load<f32>(direction + at));
  }
}

/** Nesterov momentum on n values. Consumes the gradient. */
export function nesterovUpdate(weight: usize, m: usize, gradient: usize, n: i32, stepSize: f32, mu: f32): void {
  nesterovMomentum(m, gradient, n, mu, 1);
  applyUpdate(weight, gradient, n, stepSize, 1);
}

/** @query Bytes of scratch for muonUpdate on a matrix [rows, columns]. */
export function muonBytes(rows: i32, columns: i32): usize {
  const short = min(rows, columns);
  const square = <usize>short * short * 4;
  return pad(<usize>rows * columns * 4) + 4 * square + pad(max(packBytes(short, max(rows, columns)), packBytes(columns, max(rows, columns))));
}

// @ts-ignore: decorator
@inline
function pad(bytes: usize): usize {
  return (bytes + 15) & ~15;
}

/** Muon on a matrix [rows, columns]. Consumes the gradient. `stepSize` includes the factor for the matrix's shape. */
export function muonUpdate(
  weight: usize, m: usize, gradient: usize, rows: i32, columns: i32, stepSize: f32, decay: f32, mu: f32, scratch: usize,
): void {
  nesterovMomentum(m, gradient, rows * columns, mu, 1 - mu);
  const result = scratch;
  const rest = scratch + pad(<usize>rows * columns * 4);
  orthogonalize(gradient, result, rows, columns, rest);
  applyUpdate(weight, result, rows * columns, stepSize, decay);
}

/**
 * out [rows, columns] = X with singular values near 1. A step replaces X by P X, with P = a + b G + c G^2 and G = X X^T. All P
 * and G are polynomials of the first G, so they commute. Therefore only G is iterated (G becomes P G P), and the product of all
 * P is applied to X once. For tall matrices G = X^T X, and X is multiplied from the right.
 */
function orthogonalize(x: usize, out: usize, rows: i32, columns: i32, scratch: usize): void {
  const tall = rows > columns;
  const n = tall ? columns : rows;
  const long = tall ? rows : columns;
  const size = n * n;
  const square = <usize>size << 2;
  let gram = scratch;
  let polynomial = scratch + square;
  let product = polynomial + square;
  let other = product + square;
  const pack = other + square;
  const row = <usize>columns << 2;
  if (tall) syrk(x, 4, row, x, row, 4, gram, n, long, pack);
  else syrk(x, row, 4, x, 4, row, gram, n, long, pack);
  // The trace of G is the squared norm of X. Scaling G by its inverse has the effect of dividing X by its norm first.
  let trace: f64 = 0;
  for (let i = 0; i < n; i++) trace += <f64>load<f32>(gram + (<usize>(i * n + i) << 2));
  const norm = <f32>Math.sqrt(trace) + NORM_EPSILON;
  scaleInPlace(gram, size, 1 / norm / norm);
  const side = <usize>n << 2;
  for (let step = 0; step < STEPS; step++) {
    syrk(gram, side, 4, gram, side, 4, polynomial, n, n, pack);
    polynomialOf(gram, polynomial, n, newtonSchulzA(step), newtonSchulzB(step), newtonSchulzC(step));
    if (step == 0) memory.copy(product, polynomial, square);
    else {
      syrk(polynomial, side, 4, product, side, 4, other, n, n, pack);
      const swap = product;
      product = other;
      other = swap;
    }
    if (step == STEPS - 1) break;
    syrk(polynomial, side, 4, gram, side, 4, other, n, n, pack);
    syrk(other, side, 4, polynomial, side, 4, gram, n, n, pack);
  }
  if (tall) matMul(x, product, 0, out, 1, rows, n, n, 0, n, 1, 0, n, 1, pack);
  else matMul(product, x, 0, out, 1, n, columns, n, 0, n, 1, 0, columns, 1, pack);
  scaleInPlace(out, rows * columns, 1 / norm);
}

/** Replaces `squared` (G^2) by P = a I + b G + c G^2, all [n, n]. */
function polynomialOf(gram: usize, squared: usize, n: i32, a: f32, b: f32, c: f32): void {
  const bs = f32x4.splat(b);
  const cs = f32x4.splat(c);
  const size = <usize>n * n;
  let i: usize = 0;
  for (; i + 4 <= size; i += 4) {
    const at = i << 2;
    v128.store(squared + at, madd(bs, v128.load(gram + at), f32x4.mul(cs, v128.load(squared + at))));
  }
  for (; i < size; i++) {
    const at = i << 2;
    store<f32>(squared + at, b * load<f32>(gram + at) + c * load<f32>(squared + at));
  }
  for (let d = 0; d < n; d++) {
    const at = squared + (<usize>(d * n + d) << 2);
    store<f32>(at, load<f32>(at) + a);
  }
}
