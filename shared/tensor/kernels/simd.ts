/**
 * What the kernels share. `madd` is the one place where the two builds differ: fused multiply-add where the build has
 * relaxed SIMD (scripts/build.ts), multiply and add where it has not.
 */

/** a b + c */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** [sum of a, sum of b, sum of c, sum of d] over their lanes */
// @ts-ignore: decorator
@inline
export function addAcross(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

/** exp(x) for x <= 0: x = n ln 2 + r, a polynomial in r (Cephes). The library's exp would bring a table into tfjs's memory. */
// @ts-ignore: decorator
@inline
export function expf(x: f32): f32 {
  if (x < -87) return 0;
  const n = nearest<f32>(x * 1.44269504);
  const r = x - n * 0.693359375 + n * 2.12194440e-4;
  let y: f32 = 1.9875691500e-4;
  y = y * r + 1.3981999507e-3;
  y = y * r + 8.3334519073e-3;
  y = y * r + 4.1665795894e-2;
  y = y * r + 1.6666665459e-1;
  y = y * r + 5.0000001201e-1;
  y = y * r * r + r + 1;
  return y * reinterpret<f32>((<i32>n + 127) << 23);
}

// @ts-ignore: decorator
@inline
export function dot(a: usize, b: usize, width: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= width; i += 4) sum = madd(v128.load(a + (i << 2)), v128.load(b + (i << 2)), sum);
  let total = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
  for (; i < width; i++) total += load<f32>(a + (i << 2)) * load<f32>(b + (i << 2));
  return total;
}

/** y += scale x */
// @ts-ignore: decorator
@inline
export function addScaled(scale: f32, x: usize, y: usize, width: i32): void {
  const s = f32x4.splat(scale);
  let i = 0;
  for (; i + 4 <= width; i += 4) v128.store(y + (i << 2), madd(s, v128.load(x + (i << 2)), v128.load(y + (i << 2))));
  for (; i < width; i++) store<f32>(y + (i << 2), load<f32>(y + (i << 2)) + scale * load<f32>(x + (i << 2)));
}
