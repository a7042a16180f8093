/** SwiGLU: silu(gate) up, with silu(g) = g s, s = e / (1 + e) and e = exp(g). Backward computes e again instead of keeping it. */
import { LOG2_E, MINUS_LN2, odds4, ONE, ROUND } from "./exp";
import { madd } from "./simd";

/** g s u */
// @ts-ignore: decorator
@inline
function gated4(g: v128, u: v128, round: v128, log2e: v128, minusLn2: v128, one: v128): v128 {
  const e = odds4(g, round, log2e, minusLn2, one);
  return f32x4.mul(f32x4.mul(g, u), f32x4.div(e, f32x4.add(one, e)));
}

/**
 * Bytes of a cache line, which is read and written whole, one operand after the other. Tensors of equal size often lie a
 * multiple of 4,096 bytes apart, and going to and fro between such lines costs backward twice its time on Zen 4.
 */
const LINE: usize = 64;

/** gate, up [size] -> out [size] */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const end = <usize>size << 2;
  const round = ROUND, log2e = LOG2_E, minusLn2 = MINUS_LN2, one = ONE;
  let at: usize = 0;
  for (; at + LINE <= end; at += LINE) {
    // @unroll K 4
    const y$K = gated4(v128.load(gate + at, 16 * K), v128.load(up + at, 16 * K), round, log2e, minusLn2, one);
    // @end
    // @unroll K 4
    v128.store(out + at, y$K, 16 * K);
    // @end
  }
  for (; at < end; at += 4) {
    store<f32>(out + at, f32x4.extract_lane(gated4(v128.load32_splat(gate + at), v128.load32_splat(up + at), round, log2e, minusLn2, one), 0));
  }
}

/**
 * For dy [size], with s and e as above and 1 - s = 1 / (1 + e): dup = dy g s, dgate = dy up (s + g s (1 - s)), and once more
 * hidden = g s up, which costs nothing here. Each may lie where an operand does: dgate where gate, dup where up, hidden
 * where dy.
 */
export function swigluBackward(gate: usize, up: usize, dy: usize, dgate: usize, dup: usize, hidden: usize, size: i32): void {
  const end = <usize>size << 2;
  const round = ROUND, log2e = LOG2_E, minusLn2 = MINUS_LN2, one = ONE;
  let at: usize = 0;
  for (; at + LINE <= end; at += LINE) {
    // @unroll K 4
    const g$K = v128.load(gate + at, 16 * K);
    const e$K = odds4(g$K, round, log2e, minusLn2, one);
    const rest$K = f32x4.div(one, f32x4.add(one, e$K)); // 1 - s
    const s$K = f32x4.mul(e$K, rest$K);
    const gs$K = f32x4.mul(g$K, s$K);
    const slope$K = madd(gs$K, rest$K, s$K);
    // @end
    // @unroll K 4
    const dy$K = v128.load(dy + at, 16 * K);
    // @end
    // @unroll K 4
    const u$K = v128.load(up + at, 16 * K);
    // @end
    // @unroll K 4
    v128.store(hidden + at, f32x4.mul(gs$K, u$K), 16 * K);
    // @end
    // @unroll K 4
    v128.store(dup + at, f32x4.mul(dy$K, gs$K), 16 * K);
    // @end
    // @unroll K 4
    v128.store(dgate + at, f32x4.mul(f32x4.mul(dy$K, u$K), slope$K), 16 * K);
    // @end
  }
  for (; at < end; at += 4) {
    const g = load<f32>(gate + at);
    const e = f32x4.extract_lane(odds4(f32x4.splat(g), round, log2e, minusLn2, one), 0);
    const rest: f32 = 1 / (1 + e);
    const s = e * rest;
    const slope = load<f32>(dy + at);
    const u = load<f32>(up + at);
    store<f32>(hidden + at, g * s * u);
    store<f32>(dup + at, slope * (g * s));
    store<f32>(dgate + at, slope * u * (s + g * s * rest));
  }
}
