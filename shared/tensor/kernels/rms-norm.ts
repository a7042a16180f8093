/**
 * RMSNorm: y = x r weight with r = 1 / sqrt(mean(x^2) + epsilon) of each row. Forward leaves r of each row behind, the
 * only thing that backward needs beside the inputs. Rows are taken in order, so sums over rows have one order.
 */
import { addLanes, dot, madd } from "./simd";

/** Sum of a b c over width, in two sums side by side as `dot` has four. */
function dotWeighted(a: usize, b: usize, c: usize, width: i32): f32 {
  let even = f32x4.splat(0), odd = f32x4.splat(0);
  let i: usize = 0;
  const bytes = <usize>width << 2;
  for (; i + 32 <= bytes; i += 32) {
    even = madd(f32x4.mul(v128.load(a + i), v128.load(b + i)), v128.load(c + i), even);
    odd = madd(f32x4.mul(v128.load(a + i, 16), v128.load(b + i, 16)), v128.load(c + i, 16), odd);
  }
  let sum = addLanes(f32x4.add(even, odd));
  for (; i < bytes; i += 4) sum += load<f32>(a + i) * load<f32>(b + i) * load<f32>(c + i);
  return sum;
}

/** x [rows, width], weight [width] -> out [rows, width], inverse [rows] */
export function rmsNorm(x: usize, weight: usize, out: usize, inverse: usize, rows: i32, width: i32, epsilon: f32): void {
  const vectors = width & ~3;
  for (let row = 0; row < rows; row++) {
    const r: f32 = <f32>1 / sqrt<f32>(dot(x, x, width) / <f32>width + epsilon);
    store<f32>(inverse + (<usize>row << 2), r);
    const scale = f32x4.splat(r);
    let i = 0;
    for (; i < vectors; i += 4) {
      const at = <usize>i << 2;
      v128.store(out + at, f32x4.mul(f32x4.mul(v128.load(x + at), scale), v128.load(weight + at)));
    }
    for (; i < width; i++) {
      const at = <usize>i << 2;
      store<f32>(out + at, load<f32>(x + at) * r * load<f32>(weight + at));
    }
    x += <usize>width << 2;
    out += <usize>width << 2;
  }
}

/**
 * For dy [rows, width]: dx = r (dy weight - x r^2 mean(dy weight x)) and dweight = sum over rows of dy x r. Each row is
 * read twice while it is in the cache. To dx is added what lies at `from`, if not 0; dx may lie there or where dy does.
 */
export function rmsNormBackward(x: usize, weight: usize, inverse: usize, dy: usize, from: usize, dx: usize, dweight: usize, rows: i32, width: i32): void {
  memory.fill(dweight, 0, <usize>width << 2);
  const vectors = width & ~3;
  for (let row = 0; row < rows; row++) {
    const r = load<f32>(inverse + (<usize>row << 2));
    const sum = dotWeighted(dy, weight, x, width);
    const pull: f32 = -(sum / <f32>width) * r * r * r;
    const rs = f32x4.splat(r);
    const pulls = f32x4.splat(pull);
    let i = 0;
    for (; i < vectors; i += 4) {
      const at = <usize>i << 2;
      const value = v128.load(x + at);
      const scaled = f32x4.mul(v128.load(dy + at), rs);
      let slope = madd(value, pulls, f32x4.mul(scaled, v128.load(weight + at)));
      if (from != 0) slope = f32x4.add(slope, v128.load(from + at));
      v128.store(dx + at, slope);
      v128.store(dweight + at, madd(scaled, value, v128.load(dweight + at)));
    }
    for (; i < width; i++) {
      const at = <usize>i << 2;
      const value = load<f32>(x + at);
      const scaled = load<f32>(dy + at) * r;
      const slope = value * pull + scaled * load<f32>(weight + at);
      store<f32>(dx + at, from != 0 ? slope + load<f32>(from + at) : slope);
      store<f32>(dweight + at, load<f32>(dweight + at) + scaled * value);
    }
    x += <usize>width << 2;
    dy += <usize>width << 2;
    dx += <usize>width << 2;
    if (from != 0) from += <usize>width << 2;
  }
}
