/**
 * x w^T for a few rows x and float32 weights w [n, k] as training leaves them. Four rows of w meet two rows of x: with
 * three, 12 sums and their operands would not stay in registers. Every result has one sum per lane along k, so a row's bits do
 * not depend on the number of rows.
 */
import { addAcross, madd } from "../simd";

/** out [m, n] = x [m, k] w^T, or that added to out. Row strides of x and out are in bytes. */
export function floatProduct(x: usize, xRow: usize, w: usize, out: usize, outRow: usize, m: i32, n: i32, k: i32, adds: bool): void {
  const wRow = <usize>k << 2;
  for (let j = 0; j < n; j += 4) {
    const isLast = j + 4 > n;
    // The last one to three rows of w: all four pointers stay within w, and only the lanes of these rows are stored.
    const step: usize = isLast ? 0 : wRow;
    const sources = isLast ? n - j : 1;
    for (let row = 0; row < sources; row++) {
      const source = w + <usize>(j + row) * wRow;
      const column = <usize>(j + row) << 2;
      let i = 0;
      for (; i + 2 <= m; i += 2) rowsOf(2, x + <usize>i * xRow, xRow, source, step, out + <usize>i * outRow + column, outRow, k, adds, isLast);
      if (i < m) rowsOf(1, x + <usize>i * xRow, xRow, source, step, out + <usize>i * outRow + column, outRow, k, adds, isLast);
    }
  }
}

/** `count` rows of x (1 or 2, a compile-time constant) times four rows of w. */
// @ts-ignore: decorator
@inline
function rowsOf(count: i32, x: usize, xRow: usize, w: usize, wRow: usize, out: usize, outRow: usize, k: i32, adds: bool, isLast: bool): void {
  const w1 = w + wRow, w2 = w1 + wRow, w3 = w2 + wRow;
  const whole = <usize>(k & ~3) << 2;
  // @unroll T 2
  let a$T = f32x4.splat(0), b$T = f32x4.splat(0), c$T = f32x4.splat(0), d$T = f32x4.splat(0);
  const x$T = x + T * xRow;
  // @end
  for (let at: usize = 0; at < whole; at += 16) {
    const wa = v128.load(w + at), wb = v128.load(w1 + at), wc = v128.load(w2 + at), wd = v128.load(w3 + at);
    // @unroll T 2
    if (T < count) {
      const value = v128.load(x$T + at);
      a$T = madd(value, wa, a$T);
      b$T = madd(value, wb, b$T);
      c$T = madd(value, wc, c$T);
      d$T = madd(value, wd, d$T);
    }
    // @end
  }
  // @unroll T 2
  if (T < count) {
    let sums = addAcross(a$T, b$T, c$T, d$T);
    for (let at = whole; at < <usize>k << 2; at += 4) {
      const column = f32x4(load<f32>(w + at), load<f32>(w1 + at), load<f32>(w2 + at), load<f32>(w3 + at));
      sums = f32x4.add(sums, f32x4.mul(v128.load32_splat(x$T + at), column));
    }
    const target = out + T * outRow;
    if (isLast) {
      const sum = f32x4.extract_lane(sums, 0);
      store<f32>(target, adds ? load<f32>(target) + sum : sum);
    } else v128.store(target, adds ? f32x4.add(v128.load(target), sums) : sums);
  }
  // @end
}
