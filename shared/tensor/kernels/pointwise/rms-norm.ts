/**
 * RMSNorm: y = x r weight, with r = 1 / sqrt(mean(x^2) + epsilon) per row. The forward pass also returns r of each row, which
 * the backward pass needs besides the inputs. Rows are processed in order, so sums over rows have a fixed order.
 */
import { addLanes, madd } from "../simd";

/** The sum of squares of a row. */
function squares(a: usize, width: i32): f32 {
  let s$0 = f32x4.splat(0), s$1 = f32x4.splat(0), s$2 = f32x4.splat(0), s$3 = f32x4.splat(0);
  const end = a + (<usize>width << 2);
  for (; a + 64 <= end; a += 64) {
    // @unroll K 4
    const x$K = v128.load(a, 16 * K);
    s$K = madd(x$K, x$K, s$K);
    // @end
  }
  for (; a + 16 <= end; a += 16) {
    const x = v128.load(a);
    s$0 = madd(x, x, s$0);
  }
  let sum = addLanes(f32x4.add(f32x4.add(s$0, s$1), f32x4.add(s$2, s$3)));
  for (; a < end; a += 4) sum += load<f32>(a) * load<f32>(a);
  return sum;
}

/** The sum of a b c over a row. It keeps two partial sums, because each multiply-add waits for the previous one of its sum. */
function dotWeighted(a: usize, b: usize, c: usize, width: i32): f32 {
  let s$0 = f32x4.splat(0), s$1 = f32x4.splat(0);
  const end = a + (<usize>width << 2);
  for (; a + 32 <= end; a += 32) {
    // @unroll K 2
    s$K = madd(f32x4.mul(v128.load(a, 16 * K), v128.load(b, 16 * K)), v128.load(c, 16 * K), s$K);
    // @end
    b += 32;
    c += 32;
  }
  let sum = addLanes(f32x4.add(s$0, s$1));
  for (; a < end; a += 4) {
    sum += load<f32>(a) * load<f32>(b) * load<f32>(c);
    b += 4;
    c += 4;
  }
  return sum;
}

/** x [rows, width], weight [width] -> out [rows, width], inverse [rows] */
export function rmsNorm(x: usize, weight: usize, out: usize, inverse: usize, rows: i32, width: i32, epsilon: f32): void {
  const share: f32 = <f32>1 / <f32>width;
  for (let row = 0; row < rows; row++) {
    const r: f32 = <f32>1 / sqrt<f32>(squares(x, width) * share + epsilon);
    store<f32>(inverse + (<usize>row << 2), r);
    const scale = f32x4.splat(r);
    const end = x + (<usize>width << 2);
    let w = weight;
    for (; x + 64 <= end; x += 64) {
      // @unroll K 4
      v128.store(out, f32x4.mul(f32x4.mul(v128.load(x, 16 * K), scale), v128.load(w, 16 * K)), 16 * K);
      // @end
      w += 64;
      out += 64;
    }
    for (; x < end; x += 4) {
      store<f32>(out, load<f32>(x) * r * load<f32>(w));
      w += 4;
      out += 4;
    }
  }
}

/**
 * dy [rows, width] -> dx = addend + r (dy weight - x r^2 mean(dy weight x)), dweight = sum over rows of dy x r. addend 0: no
 * addend. dx may overwrite the addend, dy or x. Each row is read twice while it is in the cache.
 */
export function rmsNormBackward(x: usize, weight: usize, inverse: usize, dy: usize, addend: usize, dx: usize, dweight: usize, rows: i32, width: i32): void {
  memory.fill(dweight, 0, <usize>width << 2);
  rmsNormBackwardAccumulate(x, weight, inverse, dy, addend, dx, dweight, rows, width);
}

/** Like rmsNormBackward, but adds the gradient of the weight to dweight. */
export function rmsNormBackwardAccumulate(x: usize, weight: usize, inverse: usize, dy: usize, addend: usize, dx: usize, dweight: usize, rows: i32, width: i32): void {
  const share: f32 = <f32>1 / <f32>width;
  for (let row = 0; row < rows; row++) {
    const r = load<f32>(inverse + (<usize>row << 2));
    const sum = dotWeighted(dy, weight, x, width);
    const dNormScale: f32 = -(sum * share) * r * r * r;
    const rs = f32x4.splat(r);
    const dNormScales = f32x4.splat(dNormScale);
    const end = x + (<usize>width << 2);
    let w = weight, dw = dweight;
    for (; x + 32 <= end; x += 32) {
      // @unroll K 2
      const value$K = v128.load(x, 16 * K);
      const scaled$K = f32x4.mul(v128.load(dy, 16 * K), rs);
      let dx$K = madd(value$K, dNormScales, f32x4.mul(scaled$K, v128.load(w, 16 * K)));
      if (addend != 0) dx$K = f32x4.add(dx$K, v128.load(addend, 16 * K));
      v128.store(dx, dx$K, 16 * K);
      v128.store(dw, madd(scaled$K, value$K, v128.load(dw, 16 * K)), 16 * K);
      // @end
      w += 32;
      dw += 32;
      dy += 32;
      dx += 32;
      if (addend != 0) addend += 32;
    }
    for (; x < end; x += 4) {
      const value = load<f32>(x);
      const scaled = load<f32>(dy) * r;
      const slope = value * dNormScale + scaled * load<f32>(w);
      store<f32>(dx, addend != 0 ? slope + load<f32>(addend) : slope);
      store<f32>(dw, load<f32>(dw) + scaled * value);
      w += 4;
      dw += 4;
      dy += 4;
      dx += 4;
      if (addend != 0) addend += 4;
    }
  }
}
