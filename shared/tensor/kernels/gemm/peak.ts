/** Measures the processor's peak rate of multiply-adds. Benches compare each kernel with this rate. */
import { madd } from "../simd";

/**
 * Runs 12 chains of multiply-adds in registers and returns the number of floating-point operations. `out` receives the sum of
 * the chains (16 bytes), so that the compiler cannot remove the loop.
 */
export function peak(rounds: i32, out: usize): f64 {
  // Computed values, because V8 would build constants again at every use.
  const x = f32x4.splat(1 / <f32>rounds);
  const y = f32x4.splat(2 / <f32>rounds);
  // Each chain starts with a different number, because the compiler would merge equal chains.
  let c0 = f32x4.splat(0), c1 = f32x4.splat(1), c2 = f32x4.splat(2), c3 = f32x4.splat(3), c4 = f32x4.splat(4), c5 = f32x4.splat(5);
  let c6 = f32x4.splat(6), c7 = f32x4.splat(7), c8 = f32x4.splat(8), c9 = f32x4.splat(9), c10 = f32x4.splat(10), c11 = f32x4.splat(11);
  for (let i = 0; i < rounds; i++) {
    for (let repeat = 0; repeat < 4; repeat++) {
      c0 = madd(x, y, c0); c1 = madd(x, y, c1); c2 = madd(x, y, c2); c3 = madd(x, y, c3);
      c4 = madd(x, y, c4); c5 = madd(x, y, c5); c6 = madd(x, y, c6); c7 = madd(x, y, c7);
      c8 = madd(x, y, c8); c9 = madd(x, y, c9); c10 = madd(x, y, c10); c11 = madd(x, y, c11);
    }
  }
  const low = f32x4.add(f32x4.add(f32x4.add(c0, c1), f32x4.add(c2, c3)), f32x4.add(c4, c5));
  const high = f32x4.add(f32x4.add(f32x4.add(c6, c7), f32x4.add(c8, c9)), f32x4.add(c10, c11));
  v128.store(out, f32x4.add(low, high));
  return <f64>rounds * (4.0 * 12.0 * 8.0);
}
