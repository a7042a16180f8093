/**
 * Causal attention that reads q, k, v where they lie and holds the scores of one query at a time.
 */
import { addScaled, dot, expf } from "./simd";

/** q [B, T, H, D], k, v [B, S, K, D] -> out [B, T, H, D]; row is scratch for S floats. */
export function attention(q: usize, k: usize, v: usize, out: usize, b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, row: usize): void {
  memory.fill(out, 0, (<usize>(b * t * h * d)) << 2);
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < h; j++) {
      const head = j / (h / kv);
      for (let x = 0; x < t; x++) {
        const at = (<usize>(((i * t + x) * h + j) * d)) << 2;
        const limit = s - t + x + 1;
        probabilities(q + at, k + ((<usize>((i * s * kv + head) * d)) << 2), limit, kv * d, d, scale, row);
        for (let y = 0; y < limit; y++) addScaled(load<f32>(row + (y << 2)), v + ((<usize>(((i * s + y) * kv + head) * d)) << 2), out + at, d);
      }
    }
  }
}

/** row [limit] = softmax of scale q . k over the first limit keys, which lie stride floats apart */
function probabilities(q: usize, k: usize, limit: i32, stride: i32, d: i32, scale: f32, row: usize): void {
  let top: f32 = -Infinity;
  for (let y = 0; y < limit; y++) {
    const score = scale * dot(q, k + ((<usize>(y * stride)) << 2), d);
    store<f32>(row + (y << 2), score);
    top = max(top, score);
  }
  let sum: f32 = 0;
  for (let y = 0; y < limit; y++) {
    const value = expf(load<f32>(row + (y << 2)) - top);
    store<f32>(row + (y << 2), value);
    sum += value;
  }
  const inverse: f32 = 1 / sum;
  for (let y = 0; y < limit; y++) store<f32>(row + (y << 2), load<f32>(row + (y << 2)) * inverse);
}

/** Gradients of attention for dy [B, T, H, D]; probabilities are recomputed row by row, so no T x S matrix exists. */
export function attentionBackward(q: usize, k: usize, v: usize, out: usize, dy: usize, dq: usize, dk: usize, dv: usize, b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, row: usize): void {
  memory.fill(dq, 0, (<usize>(b * t * h * d)) << 2);
  memory.fill(dk, 0, (<usize>(b * s * kv * d)) << 2);
  memory.fill(dv, 0, (<usize>(b * s * kv * d)) << 2);
  for (let i = 0; i < b; i++) {
    for (let j = 0; j < h; j++) {
      const base = (<usize>((i * s * kv + j / (h / kv)) * d)) << 2;
      for (let x = 0; x < t; x++) {
        const at = (<usize>(((i * t + x) * h + j) * d)) << 2;
        const limit = s - t + x + 1;
        probabilities(q + at, k + base, limit, kv * d, d, scale, row);
        const mean = dot(dy + at, out + at, d);
        for (let y = 0; y < limit; y++) {
          const p = load<f32>(row + (y << 2));
          const other = base + ((<usize>(y * kv * d)) << 2);
          const ds = p * (dot(dy + at, v + other, d) - mean) * scale;
          addScaled(p, dy + at, dv + other, d);
          addScaled(ds, k + other, dq + at, d);
          addScaled(ds, q + at, dk + other, d);
        }
      }
    }
  }
}
