/**
 * Vector operations that kernels share. Only `madd` differs between the two builds (scripts/build.ts): with relaxed SIMD it is a
 * fused multiply-add, without relaxed SIMD a multiplication and an addition.
 */

/** True if `madd` rounds once (fused). */
export const IS_FUSED: bool = ASC_FEATURE_RELAXED_SIMD;

/** a b + c */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (IS_FUSED) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** [sum of a, sum of b, sum of c, sum of d], each over the four lanes */
// @ts-ignore: decorator
@inline
export function addAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

// @ts-ignore: decorator
@inline
export function addLanes(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

// @ts-ignore: decorator
@inline
export function maxLanes(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

/** Dot product with four partial sums. With a single sum, each multiply-add would wait for the previous one. */
// @ts-ignore: decorator
@inline
export function dot(a: usize, b: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
  let i: usize = 0;
  const bytes = <usize>width << 2;
  for (; i + 64 <= bytes; i += 64) {
    s0 = madd(v128.load(a + i), v128.load(b + i), s0);
    s1 = madd(v128.load(a + i, 16), v128.load(b + i, 16), s1);
    s2 = madd(v128.load(a + i, 32), v128.load(b + i, 32), s2);
    s3 = madd(v128.load(a + i, 48), v128.load(b + i, 48), s3);
  }
  for (; i + 16 <= bytes; i += 16) s0 = madd(v128.load(a + i), v128.load(b + i), s0);
  let total = addLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (; i < bytes; i += 4) total += load<f32>(a + i) * load<f32>(b + i);
  return total;
}
