/**
 * RMSNorm and rotation of each head of a sequence. If the head width is a multiple of eight and the number of heads a multiple
 * of four, one pass does both for four heads at a time. The four heads share the latency of the horizontal sum, the root and the
 * division, and they share the loads of weights and angles.
 */
import { rmsNorm, rmsNormBackwardAccumulate } from "../pointwise/rms-norm";
import { rotary } from "./rotary";
import { addAcross, madd } from "../simd";

const SIDE_BY_SIDE: i32 = 4;

// @ts-ignore: decorator
@inline
function isFourfold(heads: i32, width: i32): bool {
  return heads % SIDE_BY_SIDE == 0 && width % 8 == 0;
}

/** x [length, heads, width], weight [width], table [length][cos width/2, sin width/2] -> out (x's shape) and inverse [length, heads] */
export function headNorm(
  x: usize, weight: usize, table: usize, out: usize, inverse: usize, length: i32, heads: i32, width: i32, epsilon: f32,
): void {
  if (isFourfold(heads, width)) return eachFour(false, x, weight, table, inverse, out, 0, length, heads, width, epsilon);
  rmsNorm(x, weight, out, inverse, length * heads, width, epsilon);
  rotary(out, out, table, 1, length, heads, width, 1);
}

/**
 * Replaces x by its gradient. Adds the gradient of the weight to dweight [width]. Consumes dy, which has x's shape. Formulas as
 * in pointwise/rms-norm.ts.
 */
export function headNormBackward(
  x: usize, weight: usize, table: usize, inverse: usize, dy: usize, dweight: usize, length: i32, heads: i32, width: i32,
): void {
  if (isFourfold(heads, width)) return eachFour(true, x, weight, table, inverse, dy, dweight, length, heads, width, 0);
  rotary(dy, dy, table, 1, length, heads, width, -1);
  rmsNormBackwardAccumulate(x, weight, inverse, dy, 0, x, dweight, length * heads, width);
}

/** Processes all heads, four at a time. Forward: y is `out`. Backward: y is dy. */
// @ts-ignore: decorator
@inline
function eachFour(
  isBackward: bool, x: usize, weight: usize, table: usize, inverse: usize, y: usize, dweight: usize, length: i32, heads: i32,
  width: i32, epsilon: f32,
): void {
  const row = <usize>width << 2;
  for (let n = 0; n < length; n++) {
    for (let head = 0; head < heads; head += SIDE_BY_SIDE) {
      if (isBackward) backward(x, weight, table, inverse, y, dweight, row);
      else forward(x, weight, table, y, inverse, row, epsilon);
      x += <usize>SIDE_BY_SIDE * row;
      y += <usize>SIDE_BY_SIDE * row;
      inverse += SIDE_BY_SIDE << 2;
    }
    table += row;
  }
}

// @ts-ignore: decorator
@inline
function forward(x: usize, weight: usize, angles: usize, out: usize, inverse: usize, row: usize, epsilon: f32): void {
  const far = row >> 1;
  // @unroll R 4
  let s$R = f32x4.splat(0);
  // @end
  for (let at: usize = 0; at < row; at += 16) {
    // @unroll R 4
    const value$R = v128.load(x + R * row + at);
    s$R = madd(value$R, value$R, s$R);
    // @end
  }
  const mean = f32x4.div(addAcross(s$0, s$1, s$2, s$3), f32x4.splat(<f32>(row >> 2)));
  const r = f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(mean, f32x4.splat(epsilon))));
  v128.store(inverse, r);
  // @unroll R 4
  const r$R = v128.shuffle<f32>(r, r, R, R, R, R);
  // @end
  for (let at: usize = 0; at < far; at += 16) {
    const w = v128.load(weight + at), v = v128.load(weight + far + at);
    const cos = v128.load(angles + at), sin = v128.load(angles + far + at);
    // @unroll R 4
    const low$R = f32x4.mul(f32x4.mul(v128.load(x + R * row + at), r$R), w);
    const high$R = f32x4.mul(f32x4.mul(v128.load(x + R * row + far + at), r$R), v);
    v128.store(out + R * row + at, f32x4.sub(f32x4.mul(low$R, cos), f32x4.mul(high$R, sin)));
    v128.store(out + R * row + far + at, madd(high$R, cos, f32x4.mul(low$R, sin)));
    // @end
  }
}

// @ts-ignore: decorator
@inline
function backward(x: usize, weight: usize, angles: usize, inverse: usize, dy: usize, dweight: usize, row: usize): void {
  const far = row >> 1;
  // @unroll R 4
  let s$R = f32x4.splat(0);
  // @end
  // Rotates dy back in place; the second loop reads the result.
  for (let at: usize = 0; at < far; at += 16) {
    const w = v128.load(weight + at), v = v128.load(weight + far + at);
    const cos = v128.load(angles + at), sin = v128.load(angles + far + at);
    // @unroll R 4
    const low$R = v128.load(dy + R * row + at), high$R = v128.load(dy + R * row + far + at);
    const first$R = madd(low$R, cos, f32x4.mul(high$R, sin));
    const second$R = f32x4.sub(f32x4.mul(high$R, cos), f32x4.mul(low$R, sin));
    v128.store(dy + R * row + at, first$R);
    v128.store(dy + R * row + far + at, second$R);
    s$R = madd(f32x4.mul(first$R, w), v128.load(x + R * row + at), s$R);
    s$R = madd(f32x4.mul(second$R, v), v128.load(x + R * row + far + at), s$R);
    // @end
  }
  const r = v128.load(inverse);
  const mean = f32x4.div(addAcross(s$0, s$1, s$2, s$3), f32x4.splat(<f32>(row >> 2)));
  const dNormScale = f32x4.neg(f32x4.mul(mean, f32x4.mul(f32x4.mul(r, r), r)));
  // @unroll R 4
  const r$R = v128.shuffle<f32>(r, r, R, R, R, R);
  const dNormScale$R = v128.shuffle<f32>(dNormScale, dNormScale, R, R, R, R);
  // @end
  for (let at: usize = 0; at < row; at += 16) {
    const w = v128.load(weight + at);
    let dw = v128.load(dweight + at);
    // @unroll R 4
    const value$R = v128.load(x + R * row + at);
    const scaled$R = f32x4.mul(v128.load(dy + R * row + at), r$R);
    v128.store(x + R * row + at, madd(value$R, dNormScale$R, f32x4.mul(scaled$R, w)));
    dw = madd(scaled$R, value$R, dw);
    // @end
    v128.store(dweight + at, dw);
  }
}
