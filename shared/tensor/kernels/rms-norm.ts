/**
 * RMSNorm: y = x r weight with r = 1 / sqrt(mean(x^2) + epsilon) of each row. Forward leaves r of each row behind, the
 * only thing that backward needs beside the inputs. Rows are taken in order, so sums over rows have one order.
 */
import { dot, madd } from "./simd";

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
 * read twice while it is in the cache. dx may lie where dy does.
 */
export function rmsNormBackward(x: usize, weight: usize, inverse: usize, dy: usize, dx: usize, dweight: usize, rows: i32, width: i32): void {
  memory.fill(dweight, 0, <usize>width << 2);
  const vectors = width & ~3;
  for (let row = 0; row < rows; row++) {
    const r = load<f32>(inverse + (<usize>row << 2));
    let sums = f32x4.splat(0);
    let i = 0;
    for (; i < vectors; i += 4) {
      const at = <usize>i << 2;
      sums = madd(f32x4.mul(v128.load(dy + at), v128.load(weight + at)), v128.load(x + at), sums);
    }
    let sum = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
    for (; i < width; i++) {
      const at = <usize>i << 2;
      sum += load<f32>(dy + at) * load<f32>(weight + at) * load<f32>(x + at);
    }
    const pull: f32 = -(sum / <f32>width) * r * r * r;
    const rs = f32x4.splat(r);
    const pulls = f32x4.splat(pull);
    for (i = 0; i < vectors; i += 4) {
      const at = <usize>i << 2;
      const value = v128.load(x + at);
      const scaled = f32x4.mul(v128.load(dy + at), rs);
      v128.store(dx + at, madd(value, pulls, f32x4.mul(scaled, v128.load(weight + at))));
      v128.store(dweight + at, madd(scaled, value, v128.load(dweight + at)));
    }
    for (; i < width; i++) {
      const at = <usize>i << 2;
      const value = load<f32>(x + at);
      const scaled = load<f32>(dy + at) * r;
      store<f32>(dx + at, value * pull + scaled * load<f32>(weight + at));
      store<f32>(dweight + at, load<f32>(dweight + at) + scaled * value);
    }
    x += <usize>width << 2;
    dy += <usize>width << 2;
    dx += <usize>width << 2;
  }
}
