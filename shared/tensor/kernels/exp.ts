/**
 * Exponential and logarithm without tables: the library's own would bring data segments into tfjs's memory.
 * exp is x = n ln 2 + r with a polynomial in r (Cephes), relative error below 2e-7.
 */
import { madd } from "./simd";

// Variables, though never written: V8 builds a vector constant anew in every turn of a loop (four instructions each), but
// loads a mutable global with one, which makes exp4 1.7 times as fast.
/** Below LOWEST the result would not be a normal number any more; above HIGHEST it would overflow. */
let LOWEST: v128 = f32x4.splat(-87.33);
let HIGHEST: v128 = f32x4.splat(88.37);
/** 1.5 * 2^23: x + ROUND has the nearest integer to x in its lowest bits, and x + ROUND - ROUND is that integer. */
let ROUND: v128 = f32x4.splat(12582912);
let LOG2_E: v128 = f32x4.splat(1.44269504);
/** ln 2 in two parts, so that r keeps its last bits without a fused multiply-add, too. */
let MINUS_LN2_HIGH: v128 = f32x4.splat(-0.693359375);
let MINUS_LN2_LOW: v128 = f32x4.splat(2.12194440e-4);
let P5: v128 = f32x4.splat(1.9875691500e-4);
let P4: v128 = f32x4.splat(1.3981999507e-3);
let P3: v128 = f32x4.splat(8.3334519073e-3);
let P2: v128 = f32x4.splat(4.1665795894e-2);
let P1: v128 = f32x4.splat(1.6666665459e-1);
let P0: v128 = f32x4.splat(5.0000001201e-1);
export let ONE: v128 = f32x4.splat(1);

/** exp of four lanes: 0 below LOWEST, exp(HIGHEST) above HIGHEST, NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  // pmin and pmax are one instruction each, where min and max are several; they return their first operand for a NaN in it.
  const clamped = f32x4.pmin(f32x4.pmax(x, LOWEST), HIGHEST);
  const rounded = f32x4.add(f32x4.mul(clamped, LOG2_E), ROUND);
  const n = f32x4.sub(rounded, ROUND);
  const r = madd(n, MINUS_LN2_LOW, madd(n, MINUS_LN2_HIGH, clamped));
  let y = madd(P5, r, P4);
  y = madd(y, r, P3);
  y = madd(y, r, P2);
  y = madd(y, r, P1);
  y = madd(y, r, P0);
  y = f32x4.add(madd(y, f32x4.mul(r, r), r), ONE);
  // The bits of 1 are an exponent of 0; the shift leaves n alone to add to it: ROUND's own bits fall out.
  const power = i32x4.add(i32x4.shl(rounded, 23), ONE);
  return v128.andnot(f32x4.mul(y, power), f32x4.lt(x, LOWEST));
}

/** exp of one number, bit for bit what a lane of exp4 gives. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

/** log of a positive normal number: x = 2^e m with m near 1, then 2 atanh((m - 1) / (m + 1)); error below 1e-12. */
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
