/**
 * Causal attention that reads q, k, v where they lie. The keys and values of one head are packed, then a block of queries
 * at a time takes the two products of tile.ts with a vectorised softmax between; only that block's scores exist.
 * A single query (decoding) packs nothing: each key and value is read once (matvec.ts).
 */
import { exp4 } from "./exp";
import { dotRows, sumRows } from "./matvec";
import { packPanels, panelsBytes } from "./pack";
import { addLanes, maxLanes } from "./simd";
import { COLUMNS, multiply, TILE_BYTES, TILE_ROW } from "./tile";

/** Queries per block: enough to repay the tiles' set-up, few enough not to multiply what the mask then throws away. */
export const QUERIES: i32 = 12;

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
        for (let j: usize = 0; j < <usize>group; j++) softmaxRow(scores + j * stride, s, s, scale, statistics + (row + j) * STATISTICS_BYTES);
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
          // The last query sees all of `limit` keys, each other one key less than its next.
          for (let r = 0; r < rows; r++) {
            const kept = statistics + (row + j + <usize>(x + r) * h) * STATISTICS_BYTES;
            softmaxRow(scores + <usize>r * stride, limit - rows + r + 1, columns, scale, kept);
          }
          multiply(scores, stride, 4, values, <usize>s * TILE_ROW, 0, out + at, queryRow, rows, d, limit, edge);
        }
      }
    }
  }
}

/** Where the vectors of a row's first `live` scores end, whose other lanes become such that their exponential is 0. */
// @ts-ignore: decorator
@inline
export function maskRow(row: usize, live: i32): usize {
  const end = row + (<usize>((live + 3) & ~3) << 2);
  for (let at = row + (<usize>live << 2); at < end; at += 4) store<f32>(at, -Infinity);
  return end;
}

/** row = softmax of scale row over its first `live` numbers; zeros up to `columns`, which is rounded up to four. */
function softmaxRow(row: usize, live: i32, columns: i32, scale: f32, statistics: usize): void {
  const end = maskRow(row, live);
  let tops = f32x4.splat(-Infinity);
  // pmax is one instruction where max is seven. It passes a NaN over, but the exponentials and so the whole row keep it.
  for (let at = row; at < end; at += 16) tops = f32x4.pmax(tops, v128.load(at));
  const top = f32x4.splat(maxLanes(tops));
  const factor = f32x4.splat(scale);
  let sums = f32x4.splat(0);
  for (let at = row; at < end; at += 16) {
    const value = exp4(f32x4.mul(f32x4.sub(v128.load(at), top), factor));
    sums = f32x4.add(sums, value);
    v128.store(at, value);
  }
  const inverse = f32x4.splat(1 / addLanes(sums));
  store<f32>(statistics, f32x4.extract_lane(top, 0));
  store<f32>(statistics, f32x4.extract_lane(inverse, 0), 4);
  for (let at = row; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), inverse));
  const rest = row + (<usize>columns << 2);
  for (let at = end; at < rest; at += 16) v128.store(at, f32x4.splat(0));
}
