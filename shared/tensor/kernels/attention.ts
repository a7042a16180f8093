/**
 * Causal attention that reads q, k, v where they lie. The keys and values of one head are packed, then a block of queries
 * at a time takes the two products of tile.ts with a vectorised softmax between; only that block's scores exist.
 * A single query (decoding) packs nothing: each key and value is read once (matvec.ts).
 */
import { exp4 } from "./exp";
import { dotRows, sumRows } from "./matvec";
import { packPanels, panelsBytes } from "./pack";
import { addAcross, maxLanes } from "./simd";
import { COLUMNS, multiply, TILE_BYTES, TILE_ROW } from "./tile";

/** Queries per block: enough to repay the tiles' set-up, few enough not to multiply what the mask then throws away. */
const QUERIES: i32 = 12;

/** Bytes from one query's scores to the next: whole panels, so that products need no partial columns. */
// @ts-ignore: decorator
@inline
export function scoresRow(s: i32): usize {
  return (<usize>((s + COLUMNS - 1) / COLUMNS) * COLUMNS) << 2;
}

/**
 * Bytes of what is kept of a row of scores, so that backward computes the same probabilities in one pass: the largest score
 * and the inverse sum.
 */
export const STATISTICS_BYTES: usize = 8;

/** Bytes of scratch for attention over s keys of width d in groups of that many heads. */
export function attentionBytes(s: i32, d: i32, group: i32): usize {
  return panelsBytes(d, s) + panelsBytes(s, d) + <usize>max(QUERIES, group) * scoresRow(s) + TILE_BYTES;
}

/**
 * q [B, T, H, D], k, v [B, S, K, D] -> out [B, T, H, D], which may lie where q does, statistics [B, T, H, 2]; `work` is
 * scratch of attentionBytes.
 */
export function attention(
  q: usize, k: usize, v: usize, out: usize, statistics: usize,
  b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, work: usize,
): void {
  const group = h / kv;
  const width = <usize>d << 2;
  const queryRow = <usize>h * width;
  const keyRow = <usize>kv * width;
  const stride = scoresRow(s);
  const values = work + panelsBytes(d, s);
  const scores = values + panelsBytes(s, d);
  const edge = scores + <usize>max(QUERIES, group) * stride;
  for (let i = 0; i < b; i++) {
    for (let head = 0; head < kv; head++) {
      const base = (<usize>i * s * kv + head) * width;
      const row = <usize>i * t * h + <usize>head * group;
      const first = row * width;
      if (t == 1) {
        dotRows(q + first, width, k + base, keyRow, scores, stride, group, s, d);
        for (let j: usize = 0; j < <usize>group; j++) softmaxBlock(scores + j * stride, stride, 1, s, scale, statistics + (row + j) * STATISTICS_BYTES, 0);
        sumRows(scores, stride, v + base, keyRow, out + first, group, d, s);
        continue;
      }
      packPanels(k + base, d, s, 4, keyRow, work);
      packPanels(v + base, s, d, keyRow, 4, values);
      for (let j = 0; j < group; j++) {
        for (let x = 0; x < t; x += QUERIES) {
          const rows = min(QUERIES, t - x);
          const limit = s - t + x + rows;
          const at = first + <usize>j * width + <usize>x * queryRow;
          const columns = <i32>(scoresRow(limit) >> 2);
          multiply(q + at, queryRow, 4, work, <usize>d * TILE_ROW, 0, scores, stride, rows, columns, d, edge);
          softmaxBlock(scores, stride, rows, limit, scale, statistics + (row + j + <usize>x * h) * STATISTICS_BYTES, <usize>h * STATISTICS_BYTES);
          multiply(scores, stride, 4, values, <usize>s * TILE_ROW, 0, out + at, queryRow, rows, d, limit, edge);
        }
      }
    }
  }
}

/** Softmax of a block's rows: the last sees all of `limit` keys, each other one key less than its next. */
function softmaxBlock(scores: usize, stride: usize, rows: i32, limit: i32, scale: f32, statistics: usize, step: usize): void {
  const columns = <i32>(scoresRow(limit) >> 2);
  let live = limit - rows + 1;
  for (; live + 3 <= limit; live += 4) {
    softmaxRows(4, scores, stride, live, columns, scale, statistics, step);
    scores += 4 * stride;
    statistics += 4 * step;
  }
  for (; live <= limit; live++) {
    softmaxRows(1, scores, stride, live, columns, scale, statistics, step);
    scores += stride;
    statistics += step;
  }
}

/**
 * Makes the scores that a query does not see such that their exponential is 0, in `n` rows (one or four, known at compile time)
 * of which the first sees `live` keys and each other one more than the one before -> where what the last sees ends, in whole vectors.
 */
// @ts-ignore: decorator
@inline
export function maskRows(n: i32, row: usize, stride: usize, live: i32): usize {
  const end = (live + n + 2) & ~3;
  for (let column = live & ~3; column < end; column += 4) {
    const columns = i32x4.add(i32x4.splat(column), i32x4(0, 1, 2, 3));
    // @unroll R 4
    if (R < n) {
      const at = row + R * stride + (<usize>column << 2);
      v128.store(at, v128.bitselect(v128.load(at), f32x4.splat(-Infinity), i32x4.lt_s(columns, i32x4.splat(live + R))));
    }
    // @end
  }
  return <usize>end << 2;
}

/**
 * Rows (maskRows) become softmax of scale row over what each sees, and zeros up to `columns`, which is rounded up to four.
 * Four are taken side by side, so that the largest, the sum and its inverse are waited for once, and so that few loops end
 * where the processor does not expect it. Their statistics lie `step` bytes apart.
 */
// @ts-ignore: decorator
@inline
function softmaxRows(n: i32, row: usize, stride: usize, live: i32, columns: i32, scale: f32, statistics: usize, step: usize): void {
  const end = maskRows(n, row, stride, live);
  // @unroll R 4
  let tops$R = f32x4.splat(-Infinity);
  // @end
  // pmax is one instruction where max is seven. It passes a NaN over, but the exponentials and so the whole row keep it.
  for (let at: usize = 0; at < end; at += 16) {
    // @unroll R 4
    if (R < n) tops$R = f32x4.pmax(tops$R, v128.load(row + R * stride + at));
    // @end
  }
  const factor = f32x4.splat(scale);
  // @unroll R 4
  const top$R = f32x4.splat(maxLanes(tops$R));
  let sums$R = f32x4.splat(0);
  // @end
  for (let at: usize = 0; at < end; at += 16) {
    // @unroll R 4
    if (R < n) {
      const value = exp4(f32x4.mul(f32x4.sub(v128.load(row + R * stride + at), top$R), factor));
      sums$R = f32x4.add(sums$R, value);
      v128.store(row + R * stride + at, value);
    }
    // @end
  }
  const inverse = f32x4.div(f32x4.splat(1), addAcross(sums$0, sums$1, sums$2, sums$3));
  // @unroll R 4
  if (R < n) {
    store<f32>(statistics + R * step, f32x4.extract_lane(top$R, 0));
    store<f32>(statistics + R * step, f32x4.extract_lane(inverse, R), 4);
  }
  const inverse$R = v128.shuffle<f32>(inverse, inverse, R, R, R, R);
  // @end
  for (let at: usize = 0; at < end; at += 16) {
    // @unroll R 4
    if (R < n) v128.store(row + R * stride + at, f32x4.mul(v128.load(row + R * stride + at), inverse$R));
    // @end
  }
  for (let at = end; at < <usize>columns << 2; at += 16) {
    // @unroll R 4
    if (R < n) v128.store(row + R * stride + at, f32x4.splat(0));
    // @end
  }
}
