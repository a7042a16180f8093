/**
 * Causal attention on unpacked q, k and v. Packs the keys and values of a head. Then each block of queries goes through a
 * product (scores), a softmax and a product (output), so memory holds the scores of one block. Decoding has a single query; it
 * packs nothing and reads each key and value once (gemm/matvec.ts).
 */
import { dotRows, sumRows } from "../gemm/matvec";
import { packBPanels, bPanelsBytes } from "../gemm/pack";
import { scoresRow, softmaxBlock, STATISTICS_BYTES } from "./softmax";
import { B_PANEL_ROW, MICROTILE_BYTES } from "../gemm/layout";
import { multiply } from "../gemm/microkernel";

/** Queries per block. Larger blocks waste more work on masked scores; smaller blocks do not repay packing. */
const QUERIES: i32 = 12;

/** @query Bytes of scratch for attention over s keys of width d, with `group` query heads per key head. */
export function attentionBytes(s: i32, d: i32, group: i32): usize {
  return bPanelsBytes(d, s) + bPanelsBytes(s, d) + <usize>max(QUERIES, group) * scoresRow(s) + MICROTILE_BYTES;
}

/**
 * q [B, T, H, D], k, v [B, S, K, D] -> out [B, T, H, D], which may overwrite q, and statistics [B, T, H, 2] (softmax.ts). `work`
 * is scratch of attentionBytes. With `isBounded`, the caller guarantees that no scaled score exceeds BOUND of softmax.ts.
 */
export function attention(
  q: usize, k: usize, v: usize, out: usize, statistics: usize,
  b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, isBounded: bool, work: usize,
): void {
  const group = h / kv;
  const width = <usize>d << 2;
  const queryRow = <usize>h * width;
  const keyRow = <usize>kv * width;
  const stride = scoresRow(s);
  const values = work + bPanelsBytes(d, s);
  const scores = values + bPanelsBytes(s, d);
  const edge = scores + <usize>max(QUERIES, group) * stride;
  for (let i = 0; i < b; i++) {
    for (let head = 0; head < kv; head++) {
      const base = (<usize>i * s * kv + head) * width;
      const row = <usize>i * t * h + <usize>head * group;
      const first = row * width;
      if (t == 1) {
        dotRows(q + first, width, k + base, keyRow, scores, stride, group, s, d);
        for (let j: usize = 0; j < <usize>group; j++) softmaxBlock(scores + j * stride, stride, 1, s, scale, isBounded, statistics + (row + j) * STATISTICS_BYTES, 0);
        sumRows(scores, stride, v + base, keyRow, out + first, group, d, s);
        continue;
      }
      packBPanels(k + base, d, s, 4, keyRow, work);
      packBPanels(v + base, s, d, keyRow, 4, values);
      for (let j = 0; j < group; j++) {
        for (let x = 0; x < t; x += QUERIES) {
          const rows = min(QUERIES, t - x);
          const limit = s - t + x + rows;
          const at = first + <usize>j * width + <usize>x * queryRow;
          const columns = <i32>(scoresRow(limit) >> 2);
          multiply(q + at, queryRow, 4, work, <usize>d * B_PANEL_ROW, 0, scores, stride, rows, columns, d, edge);
          softmaxBlock(scores, stride, rows, limit, scale, isBounded, statistics + (row + j + <usize>x * h) * STATISTICS_BYTES, <usize>h * STATISTICS_BYTES);
          multiply(scores, stride, 4, values, <usize>s * B_PANEL_ROW, 0, out + at, queryRow, rows, d, limit, edge);
        }
      }
    }
  }
}
