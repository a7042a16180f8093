/** SwiGLU: silu(gate) up, with silu(g) = g s, s = e / (1 + e) and e = exp(g). The backward pass recomputes e instead of keeping it. */
import { clampGate4, LOG2_E, MINUS_LN2, normalExp4, ONE, exponentBits4, reconstruct4, reducedArgument4, ROUND } from "./exp";
import { madd } from "../simd";

/** Bytes of four numbers. */
const FOUR: usize = 16;

/** gate, up [size] -> out [size] */
export function swiglu(gate: usize, up: usize, out: usize, size: i32): void {
  const end = <usize>size << 2;
  for (let at = eachFour(false, gate, up, 0, 0, 0, out, end & ~(FOUR - 1)); at < end; at += 4) {
    const g = v128.load32_splat(gate + at);
    store<f32>(out + at, f32x4.extract_lane(gated4(g, v128.load32_splat(up + at), clampedExp4(g), ONE), 0));
  }
}

/**
 * dy [size] -> dup = dy g s, dgate = dy up (s + g s (1 - s)), and hidden = g s up, which costs nothing extra here. s and e as
 * above; 1 - s = 1 / (1 + e). dgate may overwrite gate, dup may overwrite up, hidden may overwrite dy.
 */
export function swigluBackward(gate: usize, up: usize, dy: usize, dgate: usize, dup: usize, hidden: usize, size: i32): void {
  const end = <usize>size << 2;
  for (let at = eachFour(true, gate, up, dy, dgate, dup, hidden, end & ~(FOUR - 1)); at < end; at += 4) {
    const g = load<f32>(gate + at);
    const e = f32x4.extract_lane(clampedExp4(f32x4.splat(g)), 0);
    const rest: f32 = 1 / (1 + e);
    const s = e * rest;
    const d = load<f32>(dy + at);
    const u = load<f32>(up + at);
    store<f32>(hidden + at, g * s * u);
    store<f32>(dup + at, d * (g * s));
    store<f32>(dgate + at, d * u * (s + g * s * rest));
  }
}

/** e = exp(g). g is clamped to the range outside which s no longer changes. */
// @ts-ignore: decorator
@inline
function clampedExp4(g: v128): v128 {
  return normalExp4(clampGate4(g));
}

/**
 * Processes whole vectors up to `end`, forward or backward, and returns `end`. The latency of exp limits the speed, so the loop
 * is software-pipelined. One iteration reduces the argument of vector i + 2, reconstructs the exponential of vector i + 1, and
 * divides for vector i. Globals are copied to constants, which stay in registers.
 */
// @ts-ignore: decorator
@inline
function eachFour(isBackward: bool, gate: usize, up: usize, dy: usize, dgate: usize, dup: usize, out: usize, end: usize): usize {
  const round = ROUND, log2e = LOG2_E, minusLn2 = MINUS_LN2, one = ONE;
  let at: usize = 0;
  if (end >= 3 * FOUR) {
    let e = clampedExp4(v128.load(gate));
    let x = clampGate4(v128.load(gate, FOUR));
    let exponentBits = exponentBits4(x, log2e, round);
    let r = reducedArgument4(x, exponentBits, round, minusLn2);
    for (const last = end - 2 * FOUR; at < last; at += FOUR) {
      const known = e;
      e = reconstruct4(exponentBits, r, one);
      x = clampGate4(v128.load(gate + at, 2 * FOUR));
      exponentBits = exponentBits4(x, log2e, round);
      r = reducedArgument4(x, exponentBits, round, minusLn2);
      if (isBackward) backward4(gate + at, up + at, dy + at, dgate + at, dup + at, out + at, known, one);
      else v128.store(out + at, gated4(v128.load(gate + at), v128.load(up + at), known, one));
    }
  }
  for (; at < end; at += FOUR) {
    const e = clampedExp4(v128.load(gate + at));
    if (isBackward) backward4(gate + at, up + at, dy + at, dgate + at, dup + at, out + at, e, one);
    else v128.store(out + at, gated4(v128.load(gate + at), v128.load(up + at), e, one));
  }
  return end;
}

/** g s u */
// @ts-ignore: decorator
@inline
function gated4(g: v128, u: v128, e: v128, one: v128): v128 {
  return f32x4.mul(f32x4.mul(g, u), f32x4.div(e, f32x4.add(one, e)));
}

// @ts-ignore: decorator
@inline
function backward4(gate: usize, up: usize, dy: usize, dgate: usize, dup: usize, hidden: usize, e: v128, one: v128): void {
  const rest = f32x4.div(one, f32x4.add(one, e)); // 1 - s
  const s = f32x4.mul(e, rest);
  const gs = f32x4.mul(v128.load(gate), s);
  const dSilu = madd(gs, rest, s);
  const d = v128.load(dy), u = v128.load(up);
  v128.store(hidden, f32x4.mul(gs, u));
  v128.store(dup, f32x4.mul(d, gs));
  v128.store(dgate, f32x4.mul(f32x4.mul(d, u), dSilu));
}
