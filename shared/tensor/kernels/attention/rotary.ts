/** Rotary positions in halves: rotates (x[i], x[i + D/2]) by an angle that depends on the position and i. */
import { madd } from "../simd";

/**
 * x [batch, length, heads, width] -> out (the same shape), which may overwrite x. table [length][cos width/2, sin width/2]
 * begins at the first position. sign -1 rotates back, which is the gradient.
 */
export function rotary(x: usize, out: usize, table: usize, batch: i32, length: i32, heads: i32, width: i32, sign: f32): void {
  const half = width >> 1;
  const vectors = half & ~3;
  const far = <usize>half << 2;
  const signs = f32x4.splat(sign);
  for (let b = 0; b < batch; b++) {
    let cos = table;
    for (let t = 0; t < length; t++) {
      for (let h = 0; h < heads; h++) {
        let i = 0;
        for (; i < vectors; i += 4) {
          const at = <usize>i << 2;
          const c = v128.load(cos + at);
          const s = f32x4.mul(v128.load(cos + far + at), signs);
          const low = v128.load(x + at);
          const high = v128.load(x + far + at);
          v128.store(out + at, madd(low, c, f32x4.neg(f32x4.mul(high, s))));
          v128.store(out + far + at, madd(high, c, f32x4.mul(low, s)));
        }
        for (; i < half; i++) {
          const at = <usize>i << 2;
          const c = load<f32>(cos + at);
          const s = load<f32>(cos + far + at) * sign;
          const low = load<f32>(x + at);
          const high = load<f32>(x + far + at);
          store<f32>(out + at, low * c - high * s);
          store<f32>(out + far + at, high * c + low * s);
        }
        x += <usize>width << 2;
        out += <usize>width << 2;
      }
      cos += <usize>width << 2;
    }
  }
}
