/**
 * Exponential and logarithm without tables: the library's own would bring data segments into tfjs's memory.
 * exp is x = n ln 2 + r with a polynomial in r (Cephes), relative error below 2e-7.
 */
import { madd } from "./simd";

/** Below LOWEST the result would not be a normal number any more; above HIGHEST it would overflow. */
const LOWEST: f32 = -87.33;
const HIGHEST: f32 = 88.37;

/** exp of four lanes: 0 below LOWEST, exp(HIGHEST) above HIGHEST, NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const clamped = f32x4.min(f32x4.max(x, f32x4.splat(LOWEST)), f32x4.splat(HIGHEST));
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(1.44269504)));
  // ln 2 in two parts, so that r keeps its last bits without a fused multiply-add, too.
  const r = madd(n, f32x4.splat(2.12194440e-4), madd(n, f32x4.splat(-0.693359375), clamped));
  let y = madd(f32x4.splat(1.9875691500e-4), r, f32x4.splat(1.3981999507e-3));
  y = madd(y, r, f32x4.splat(8.3334519073e-3));
  y = madd(y, r, f32x4.splat(4.1665795894e-2));
  y = madd(y, r, f32x4.splat(1.6666665459e-1));
  y = madd(y, r, f32x4.splat(5.0000001201e-1));
  y = f32x4.add(madd(y, f32x4.mul(r, r), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(y, power), f32x4.lt(x, f32x4.splat(LOWEST)));
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
