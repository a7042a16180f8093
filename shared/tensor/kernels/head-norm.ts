/**
 * RMSNorm of each head and the turn to its position in one pass over memory, for which either alone waits: what rms-norm.ts
 * and then rotary.ts do, where a head is a multiple of eight numbers and heads are a multiple of four.
 *
 * Rows are heads in the order of [batch, length, heads]. Four are taken side by side, so that what each waits for, a sum over
 * lanes, a root, a division, is waited for once.
 */
import { addAcross, madd } from "./simd";

const SIDE_BY_SIDE: usize = 4;

/**
 * x [rows, width], weight [width], table [length][cos width/2, sin width/2] -> out [rows, width], inverse [rows], with
 * rows of [batch, length, heads].
 */
export function headNorm(
  x: usize, weight: usize, table: usize, out: usize, inverse: usize, rows: i32, length: i32, heads: i32, width: i32, epsilon: f32,
): void {
  const row = <usize>width << 2, far = row >> 1;
  const end = table + <usize>length * row;
  const share = f32x4.splat(<f32>1 / <f32>width), epsilons = f32x4.splat(epsilon);
  let head = 0, angles = table;
  for (; rows > 0; rows -= <i32>SIDE_BY_SIDE) {
    // @unroll R 4
    let s$R = f32x4.splat(0);
    const angles$R = angles;
    head++;
    if (head == heads) {
      head = 0;
      angles += row;
      if (angles == end) angles = table;
    }
    // @end
    for (let at: usize = 0; at < row; at += 16) {
      // @unroll R 4
      const value$R = v128.load(x + R * row + at);
      s$R = madd(value$R, value$R, s$R);
      // @end
    }
    const mean = f32x4.mul(addAcross(s$0, s$1, s$2, s$3), share);
    const r = f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(mean, epsilons)));
    v128.store(inverse, r);
    // @unroll R 4
    const r$R = v128.shuffle<f32>(r, r, R, R, R, R);
    // @end
    for (let at: usize = 0; at < far; at += 16) {
      const w = v128.load(weight + at), v = v128.load(weight + far + at);
      // @unroll R 4
      const low$R = f32x4.mul(f32x4.mul(v128.load(x + R * row + at), r$R), w);
      const high$R = f32x4.mul(f32x4.mul(v128.load(x + R * row + far + at), r$R), v);
      const cos$R = v128.load(angles$R + at), sin$R = v128.load(angles$R + far + at);
      v128.store(out + R * row + at, f32x4.sub(f32x4.mul(low$R, cos$R), f32x4.mul(high$R, sin$R)));
      v128.store(out + R * row + far + at, madd(high$R, cos$R, f32x4.mul(low$R, sin$R)));
      // @end
    }
    x += SIDE_BY_SIDE * row;
    out += SIDE_BY_SIDE * row;
    inverse += SIDE_BY_SIDE << 2;
  }
}

/** dy [rows, width] becomes dx; dweight [width] is the sum over rows. Other arguments as in headNorm, the gradients' formulas as in rms-norm.ts. */
export function headNormBackward(
  x: usize, weight: usize, table: usize, inverse: usize, dy: usize, dweight: usize, rows: i32, length: i32, heads: i32, width: i32,
): void {
  const row = <usize>width << 2, far = row >> 1;
  const end = table + <usize>length * row;
  const share = f32x4.splat(<f32>-1 / <f32>width);
  memory.fill(dweight, 0, row);
  let head = 0, angles = table;
  for (; rows > 0; rows -= <i32>SIDE_BY_SIDE) {
    // @unroll R 4
    let s$R = f32x4.splat(0);
    const angles$R = angles;
    head++;
    if (head == heads) {
      head = 0;
      angles += row;
      if (angles == end) angles = table;
    }
    // @end
    // dy is turned back where it lies.
    for (let at: usize = 0; at < far; at += 16) {
      const w = v128.load(weight + at), v = v128.load(weight + far + at);
      // @unroll R 4
      const cos$R = v128.load(angles$R + at), sin$R = v128.load(angles$R + far + at);
      const low$R = v128.load(dy + R * row + at), high$R = v128.load(dy + R * row + far + at);
      const first$R = madd(low$R, cos$R, f32x4.mul(high$R, sin$R));
      const second$R = f32x4.sub(f32x4.mul(high$R, cos$R), f32x4.mul(low$R, sin$R));
      v128.store(dy + R * row + at, first$R);
      v128.store(dy + R * row + far + at, second$R);
      s$R = madd(f32x4.mul(first$R, w), v128.load(x + R * row + at), s$R);
      s$R = madd(f32x4.mul(second$R, v), v128.load(x + R * row + far + at), s$R);
      // @end
    }
    const r = v128.load(inverse);
    const pull = f32x4.mul(f32x4.mul(addAcross(s$0, s$1, s$2, s$3), share), f32x4.mul(f32x4.mul(r, r), r));
    // @unroll R 4
    const r$R = v128.shuffle<f32>(r, r, R, R, R, R);
    const pull$R = v128.shuffle<f32>(pull, pull, R, R, R, R);
    // @end
    for (let at: usize = 0; at < row; at += 16) {
      const w = v128.load(weight + at);
      let dw = v128.load(dweight + at);
      // @unroll R 4
      const value$R = v128.load(x + R * row + at);
      const scaled$R = f32x4.mul(v128.load(dy + R * row + at), r$R);
      v128.store(dy + R * row + at, madd(value$R, pull$R, f32x4.mul(scaled$R, w)));
      dw = madd(scaled$R, value$R, dw);
      // @end
      v128.store(dweight + at, dw);
    }
    x += SIDE_BY_SIDE * row;
    dy += SIDE_BY_SIDE * row;
    inverse += SIDE_BY_SIDE << 2;
  }
}
