/**
 * The gradients of causal attention. Probabilities are computed again, a block of queries at a time, so that the forward
 * pass keeps nothing but its output: sum over keys of p dp is dy . out (arXiv:2205.14135, appendix B).
 */
import { probabilities, QUERIES, scoresRow } from "./attention";
import { packPanels, panelsBytes } from "./pack";
import { dot } from "./simd";
import { multiply } from "./tile";

/** dq [B, T, H, D], dk, dv [B, S, K, D] from dy [B, T, H, D]; other arguments as in attention. */
export function attentionBackward(
  q: usize, k: usize, v: usize, out: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, work: usize,
): void {
  const group = h / kv;
  const width = <usize>d << 2;
  const queryRow = <usize>h * width;
  const keyRow = <usize>kv * width;
  const stride = scoresRow(s);
  // Packed: keys and values as columns (for scores), keys as rows (for dq), the block's q and dy.
  const valueColumns = work + panelsBytes(d, s);
  const keyRows = valueColumns + panelsBytes(d, s);
  const queries = keyRows + panelsBytes(s, d);
  const outputs = queries + panelsBytes(QUERIES, d);
  const scores = outputs + panelsBytes(QUERIES, d);
  const slopes = scores + <usize>QUERIES * stride;
  const edge = slopes + <usize>QUERIES * stride;
  memory.fill(dk, 0, <usize>b * s * keyRow);
  memory.fill(dv, 0, <usize>b * s * keyRow);
  for (let i = 0; i < b; i++) {
    for (let head = 0; head < kv; head++) {
      const base = (<usize>i * s * kv + head) * width;
      packPanels(k + base, d, s, 4, keyRow, work);
      packPanels(v + base, d, s, 4, keyRow, valueColumns);
      packPanels(k + base, s, d, keyRow, 4, keyRows);
      for (let j = 0; j < group; j++) {
        for (let x = 0; x < t; x += QUERIES) {
          const rows = min(QUERIES, t - x);
          const limit = s - t + x + rows;
          const at = (<usize>i * t * h + <usize>x * h + head * group + j) * width;
          probabilities(q + at, queryRow, work, scores, stride, rows, limit, d, scale, edge);
          multiply(dy + at, queryRow, 4, valueColumns, <usize>d << 5, 0, slopes, stride, rows, <i32>(scoresRow(limit) >> 2), d, edge);
          for (let r: usize = 0; r < <usize>rows; r++) {
            const mean = dot(dy + at + r * queryRow, out + at + r * queryRow, d);
            slopesRow(scores + r * stride, slopes + r * stride, limit, mean, scale);
          }
          multiply(slopes, stride, 4, keyRows, <usize>s << 5, 0, dq + at, queryRow, rows, d, limit, edge);
          packPanels(q + at, rows, d, queryRow, 4, queries);
          packPanels(dy + at, rows, d, queryRow, 4, outputs);
          multiply(slopes, 4, stride, queries, <usize>rows << 5, dk + base, dk + base, keyRow, limit, d, rows, edge);
          multiply(scores, 4, stride, outputs, <usize>rows << 5, dv + base, dv + base, keyRow, limit, d, rows, edge);
        }
      }
    }
  }
}

/** slopes = p (slopes - mean) scale, the gradient of the scores; where p is zero, so is the result. */
function slopesRow(p: usize, slopes: usize, limit: i32, mean: f32, scale: f32): void {
  const end = p + (<usize>limit << 2);
  const means = f32x4.splat(mean);
  const factor = f32x4.splat(scale);
  for (; p < end; p += 16) {
    v128.store(slopes, f32x4.mul(f32x4.mul(v128.load(p), factor), f32x4.sub(v128.load(slopes), means)));
    slopes += 16;
  }
}
