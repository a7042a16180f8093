/**
 * Exponential and logarithm without tables, because the library's functions would add data segments, which would overwrite
 * tfjs's memory.
 *
 * With x = n ln 2 + r, exp(x) = 2^n (1 + r + r^2 q(r)). q has degree three and minimises the largest relative error over |r| <=
 * ln 2 / 2: 1e-7 before rounding, 2e-7 after rounding, 4e-7 at the lower end with fused ln 2. Latency limits exp, not the number
 * of operations, so the dependency chain is kept short.
 */
import { IS_FUSED, madd } from "../simd";

// These constants are mutable globals, although nothing writes to them. V8 loads a mutable global with one instruction. It would
// build a vector constant again in every iteration of a loop, with four instructions. With globals exp4 is 1.7 times as fast.
/** The lowest argument whose exponential is a normal number. */
let LOWEST: v128 = f32x4.splat(-87.33);
let SATURATED: v128 = f32x4.splat(30);
/** 1.5 * 2^23. x + ROUND holds the nearest integer to x in its lowest bits. x + ROUND - ROUND is that integer. */
export let ROUND: v128 = f32x4.splat(12582912);
export let LOG2_E: v128 = f32x4.splat(1.44269504);
export let MINUS_LN2: v128 = f32x4.splat(-0.69314718);
/** ln 2 in two parts, so that r keeps its last bits even without a fused multiply-add. */
let MINUS_LN2_HIGH: v128 = f32x4.splat(-0.693359375);
let MINUS_LN2_LOW: v128 = f32x4.splat(2.12194440e-4);
let C5: v128 = f32x4.splat(0.00831252);
let C4: v128 = f32x4.splat(0.04189011);
let C3: v128 = f32x4.splat(0.16667114);
let C2: v128 = f32x4.splat(0.49999232);
export let ONE: v128 = f32x4.splat(1);

/** The integer n nearest to x / ln 2, in the lowest bits of a float (see ROUND). */
// @ts-ignore: decorator
@inline
export function exponentBits4(x: v128, log2e: v128, round: v128): v128 {
  return madd(x, log2e, round);
}

/** r = x - n ln 2 */
// @ts-ignore: decorator
@inline
export function reducedArgument4(x: v128, exponentBits: v128, round: v128, minusLn2: v128): v128 {
  const n = f32x4.sub(exponentBits, round);
  return IS_FUSED ? madd(n, minusLn2, x) : madd(n, MINUS_LN2_LOW, madd(n, MINUS_LN2_HIGH, x));
}

/** 2^n exp(r) */
// @ts-ignore: decorator
@inline
export function reconstruct4(exponentBits: v128, r: v128, one: v128): v128 {
  const square = f32x4.mul(r, r);
  const y = madd(madd(madd(C5, r, C4), square, madd(C3, r, C2)), square, f32x4.add(r, one));
  // Multiplies by 2^n: the shift moves n to the exponent bits and drops ROUND's own bits; the addition adds n to the exponent.
  return i32x4.add(y, i32x4.shl(exponentBits, 23));
}

/** exp of four lanes. Each lane must be NaN or from LOWEST to 88 (above 88 exp overflows). */
// @ts-ignore: decorator
@inline
export function normalExp4(x: v128): v128 {
  const exponentBits = exponentBits4(x, LOG2_E, ROUND);
  return reconstruct4(exponentBits, reducedArgument4(x, exponentBits, ROUND, MINUS_LN2), ONE);
}

/** exp of four lanes of at most 88, for example scores minus their maximum. 0 below LOWEST, NaN for NaN. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  // pmax is one instruction, max is several. pmax returns its first operand if that operand is NaN.
  return v128.andnot(normalExp4(f32x4.pmax(x, LOWEST)), f32x4.lt(x, LOWEST));
}

/**
 * exp4 without `madd`, so that both builds give the same bits. Decoding uses it: the same seed gives the same text on both
 * builds.
 */
// @ts-ignore: decorator
@inline
export function plainExp4(x: v128): v128 {
  const y = f32x4.pmax(x, LOWEST);
  const exponentBits = f32x4.add(f32x4.mul(y, LOG2_E), ROUND);
  const n = f32x4.sub(exponentBits, ROUND);
  const r = f32x4.add(f32x4.mul(n, MINUS_LN2_LOW), f32x4.add(f32x4.mul(n, MINUS_LN2_HIGH), y));
  const square = f32x4.mul(r, r);
  const high = f32x4.add(f32x4.mul(C5, r), C4);
  const low = f32x4.add(f32x4.mul(C3, r), C2);
  const power = f32x4.add(f32x4.mul(f32x4.add(f32x4.mul(high, square), low), square), f32x4.add(r, ONE));
  return v128.andnot(i32x4.add(power, i32x4.shl(exponentBits, 23)), f32x4.lt(x, LOWEST));
}

/**
 * Clamps x to LOWEST..SATURATED for e = exp(x) in e / (1 + e) and 1 / (1 + e). At SATURATED the first is already 1 in float32,
 * and the second is still a normal number.
 */
// @ts-ignore: decorator
@inline
export function clampGate4(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, LOWEST), SATURATED);
}

/** exp of a number; bit-identical to a lane of exp4. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** log of a positive normal number. x = 2^e m with m near 1; log m = 2 atanh((m - 1) / (m + 1)). The error is below 1e-12. */
export function log(x: f64): f64 {
  const bits = reinterpret<i64>(x);
  let e = <i32>((bits >> 52) & 0x7ff) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum: f64 = 1.0 / 15;
  sum = sum * z + 1.0 / 13;
  sum = sum * z + 1.0 / 11;
  sum = sum * z + 1.0 / 9;
  sum = sum * z + 1.0 / 7;
  sum = sum * z + 1.0 / 5;
  sum = sum * z + 1.0 / 3;
  sum = sum * z + 1.0;
  return <f64>e * 0.6931471805599453 + 2 * s * sum;
}
