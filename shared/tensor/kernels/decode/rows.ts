/**
 * Norms, rotations and gates of decoding, a row at a time. They multiply and add in two roundings and never use `madd`, so both
 * builds give the same bits. A row's result does not depend on the other rows of a batch.
 */
import { plainExp4 } from "../pointwise/exp";
import { addLanes } from "../simd";

/** Bytes from a row of `width` numbers to the next. Products write whole strips of 16 columns, so a row has room for one more. */
// @ts-ignore: decorator
@inline
export function rowBytes(width: i32): usize {
  return <usize>(((width + 15) & ~15) + 16) << 2;
}

/** The sum of a b over `width` numbers. */
export function plainDot(a: usize, b: usize, width: i32): f32 {
  let s0 = f32x4.splat(0), s1 = f32x4.splat(0);
  const end = a + (<usize>width << 2);
  for (; a + 32 <= end; a += 32) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    b += 32;
  }
  let sum = addLanes(f32x4.add(s0, s1));
  for (; a < end; a += 4) {
    sum += load<f32>(a) * load<f32>(b);
    b += 4;
  }
  return sum;
}

/** out [width] = x / rms(x) weight. out may be x. */
export function normRow(x: usize, weight: usize, out: usize, width: i32, epsilon: f32): void {
  const r: f32 = <f32>1 / sqrt<f32>(plainDot(x, x, width) / <f32>width + epsilon);
  const scale = f32x4.splat(r);
  const end = x + (<usize>width << 2);
  for (; x + 16 <= end; x += 16) {
    v128.store(out, f32x4.mul(f32x4.mul(v128.load(x), scale), v128.load(weight)));
    weight += 16;
    out += 16;
  }
  for (; x < end; x += 4) {
    store<f32>(out, load<f32>(x) * r * load<f32>(weight));
    weight += 4;
    out += 4;
  }
}

/** Norm and rotation of the heads of one position, in place. angles: cosines [width / 2], then sines. */
export function rotateHeads(x: usize, weight: usize, angles: usize, heads: i32, width: i32, epsilon: f32): void {
  const far = <usize>(width >> 1) << 2;
  for (let head = 0; head < heads; head++) {
    normRow(x, weight, x, width, epsilon);
    let at: usize = 0;
    for (; at + 16 <= far; at += 16) {
      const cos = v128.load(angles + at), sin = v128.load(angles + far + at);
      const low = v128.load(x + at), high = v128.load(x + far + at);
      v128.store(x + at, f32x4.sub(f32x4.mul(low, cos), f32x4.mul(high, sin)));
      v128.store(x + far + at, f32x4.add(f32x4.mul(high, cos), f32x4.mul(low, sin)));
    }
    for (; at < far; at += 4) {
      const cos = load<f32>(angles + at), sin = load<f32>(angles + far + at);
      const low = load<f32>(x + at), high = load<f32>(x + far + at);
      store<f32>(x + at, low * cos - high * sin);
      store<f32>(x + far + at, high * cos + low * sin);
    }
    x += <usize>width << 2;
  }
}

/**
 * gate [width] = silu(gate) up. `up` follows `gate` in memory: the last vector may overwrite numbers of `up` that were read
 * before. Reads up to three numbers beyond `up`.
 */
export function gateRow(gate: usize, up: usize, width: i32): void {
  const one = f32x4.splat(1), most = f32x4.splat(87);
  const end = gate + (<usize>width << 2);
  for (; gate < end; gate += 16) {
    const g = v128.load(gate);
    const e = plainExp4(f32x4.pmin(f32x4.neg(g), most));
    v128.store(gate, f32x4.mul(f32x4.mul(g, v128.load(up)), f32x4.div(one, f32x4.add(one, e))));
    up += 16;
  }
}
