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

/** Two vectors a turn, here and below: the constants of exp are then loaded once for both. */
const PAIR: usize = 32;

/** gate, up [size] -> out [size] */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const end = <usize>size << 2;
  let at: usize = 0;
  for (; at + PAIR <= end; at += PAIR) {
    const low = gated4(v128.load(gate + at), v128.load(up + at));
    const high = gated4(v128.load(gate + at, 16), v128.load(up + at, 16));
    v128.store(out + at, low);
    v128.store(out + at, high, 16);
  }
  for (; at < end; at += 4) {
    store<f32>(out + at, f32x4.extract_lane(gated4(v128.load32_splat(gate + at), v128.load32_splat(up + at)), 0));
  }
}

/**
 * For dy [size]: dgate = dy up s (1 + g (1 - s)), dup = dy g s, and once more hidden = g s up, which costs nothing here. Each
 * may lie where an operand does: dgate where gate, dup where up, hidden where dy.
 */
export function swigluBackward(gate: usize, up: usize, dy: usize, dgate: usize, dup: usize, hidden: usize, size: i32): void {
  const end = <usize>size << 2;
  let at: usize = 0;
  for (; at + PAIR <= end; at += PAIR) {
    const low = v128.load(gate + at);
    const high = v128.load(gate + at, 16);
    const lowOdds = odds4(low);
    const highOdds = odds4(high);
    slopes4(low, lowOdds, up + at, dy + at, dgate + at, dup + at, hidden + at);
    slopes4(high, highOdds, up + at + 16, dy + at + 16, dgate + at + 16, dup + at + 16, hidden + at + 16);
  }
  for (; at < end; at += 4) {
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

/** Four of them, for e = exp(g). */
// @ts-ignore: decorator
@inline
function slopes4(g: v128, e: v128, up: usize, dy: usize, dgate: usize, dup: usize, hidden: usize): void {
  const rest = f32x4.div(ONE, f32x4.add(ONE, e)); // 1 - s
  const s = f32x4.mul(e, rest);
  const ds = f32x4.mul(v128.load(dy), s);
  const u = v128.load(up);
  v128.store(hidden, f32x4.mul(f32x4.mul(g, u), s));
  v128.store(dup, f32x4.mul(ds, g));
  v128.store(dgate, f32x4.mul(f32x4.mul(ds, u), madd(g, rest, ONE)));
}
