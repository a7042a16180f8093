/** SwiGLU: silu(gate) up, with silu(g) = g s, s = e / (1 + e) and e = exp(g). Backward computes e again instead of keeping it. */
import { odds4, ONE } from "./exp";
import { madd } from "./simd";

/** g s u */
// @ts-ignore: decorator
@inline
function gated4(g: v128, u: v128): v128 {
  const e = odds4(g);
  return f32x4.mul(f32x4.mul(g, u), f32x4.div(e, f32x4.add(ONE, e)));
}

/** gate, up [size] -> out [size] */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const vectors = size & ~3;
  let i = 0;
  for (; i < vectors; i += 4) {
    const at = <usize>i << 2;
    v128.store(out + at, gated4(v128.load(gate + at), v128.load(up + at)));
  }
  for (; i < size; i++) {
    const at = <usize>i << 2;
    store<f32>(out + at, f32x4.extract_lane(gated4(v128.load32_splat(gate + at), v128.load32_splat(up + at)), 0));
  }
}

/**
 * For dy [size]: dgate = dy up s (1 + g (1 - s)), dup = dy g s, and once more hidden = g s up, which costs nothing here. Each
 * may lie where an operand does: dgate where gate, dup where up, hidden where dy.
 */
export function swigluBackward(gate: usize, up: usize, dy: usize, dgate: usize, dup: usize, hidden: usize, size: i32): void {
  const vectors = size & ~3;
  let i = 0;
  for (; i < vectors; i += 4) {
    const at = <usize>i << 2;
    const g = v128.load(gate + at);
    const e = odds4(g);
    const rest = f32x4.div(ONE, f32x4.add(ONE, e)); // 1 - s
    const s = f32x4.mul(e, rest);
    const ds = f32x4.mul(v128.load(dy + at), s);
    const u = v128.load(up + at);
    v128.store(hidden + at, f32x4.mul(f32x4.mul(g, u), s));
    v128.store(dup + at, f32x4.mul(ds, g));
    v128.store(dgate + at, f32x4.mul(f32x4.mul(ds, u), madd(g, rest, ONE)));
  }
  for (; i < size; i++) {
    const at = <usize>i << 2;
    const g = load<f32>(gate + at);
    const e = f32x4.extract_lane(odds4(f32x4.splat(g)), 0);
    const rest: f32 = 1 / (1 + e);
    const s = e * rest;
    const ds = load<f32>(dy + at) * s;
    const u = load<f32>(up + at);
    store<f32>(hidden + at, g * u * s);
    store<f32>(dup + at, ds * g);
    store<f32>(dgate + at, ds * u * (g * rest + 1));
  }
}
