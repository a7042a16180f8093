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

/**
 * Bytes of a cache line, which is read and written whole, one operand after the other. Tensors of equal size often lie a
 * multiple of 4,096 bytes apart, and going to and fro between such lines costs backward twice its time on Zen 4.
 */
const LINE: usize = 64;

/** gate, up [size] -> out [size] */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const end = <usize>size << 2;
  let at: usize = 0;
  for (; at + LINE <= end; at += LINE) {
    // @unroll K 4
    const y$K = gated4(v128.load(gate + at, 16 * K), v128.load(up + at, 16 * K));
    // @end
    // @unroll K 4
    v128.store(out + at, y$K, 16 * K);
    // @end
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
  for (; at + LINE <= end; at += LINE) {
    // @unroll K 4
    const g$K = v128.load(gate + at, 16 * K);
    const e$K = odds4(g$K);
    const rest$K = f32x4.div(ONE, f32x4.add(ONE, e$K)); // 1 - s
    const s$K = f32x4.mul(e$K, rest$K);
    // @end
    // @unroll K 4
    const ds$K = f32x4.mul(v128.load(dy + at, 16 * K), s$K);
    // @end
    // @unroll K 4
    const u$K = v128.load(up + at, 16 * K);
    // @end
    // @unroll K 4
    v128.store(hidden + at, f32x4.mul(f32x4.mul(g$K, u$K), s$K), 16 * K);
    // @end
    // @unroll K 4
    v128.store(dup + at, f32x4.mul(ds$K, g$K), 16 * K);
    // @end
    // @unroll K 4
    v128.store(dgate + at, f32x4.mul(f32x4.mul(ds$K, u$K), madd(g$K, rest$K, ONE)), 16 * K);
    // @end
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
