/** SwiGLU: silu(gate) up, with silu(g) = g s and s = 1 / (1 + exp(-g)). Backward computes s again instead of keeping it. */
import { exp4, ONE } from "./exp";
import { madd } from "./simd";

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  return f32x4.div(ONE, f32x4.add(ONE, exp4(f32x4.neg(x))));
}

/** gate, up [size] -> out [size] */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const vectors = size & ~3;
  let i = 0;
  for (; i < vectors; i += 4) {
    const at = <usize>i << 2;
    const g = v128.load(gate + at);
    v128.store(out + at, f32x4.mul(f32x4.mul(g, sigmoid4(g)), v128.load(up + at)));
  }
  for (; i < size; i++) {
    const at = <usize>i << 2;
    const g = load<f32>(gate + at);
    store<f32>(out + at, g * f32x4.extract_lane(sigmoid4(f32x4.splat(g)), 0) * load<f32>(up + at));
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
    const s = sigmoid4(g);
    const ds = f32x4.mul(v128.load(dy + at), s);
    const u = v128.load(up + at);
    v128.store(hidden + at, f32x4.mul(f32x4.mul(g, s), u));
    v128.store(dup + at, f32x4.mul(ds, g));
    v128.store(dgate + at, f32x4.mul(f32x4.mul(ds, u), madd(g, f32x4.sub(ONE, s), ONE)));
  }
  for (; i < size; i++) {
    const at = <usize>i << 2;
    const g = load<f32>(gate + at);
    const s = f32x4.extract_lane(sigmoid4(f32x4.splat(g)), 0);
    const ds = load<f32>(dy + at) * s;
    const u = load<f32>(up + at);
    store<f32>(hidden + at, g * s * u);
    store<f32>(dup + at, ds * g);
    store<f32>(dgate + at, ds * u * (g * (1 - s) + 1));
  }
}
