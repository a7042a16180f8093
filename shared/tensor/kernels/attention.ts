/**
 * Causal attention that reads q, k, v where they lie. The keys and values of one head are packed, then a block of queries
 * at a time takes the two products of tile.ts with a vectorised softmax between; only that block's scores exist.
 * A single query (decoding) packs nothing: each key and value is read once (matvec.ts).
 */
import { exp4 } from "./exp";
import { dotRows, sumRows } from "./matvec";
import { packPanels, panelsBytes } from "./pack";
import { addLanes, maxLanes } from "./simd";
import { COLUMNS, multiply, TILE_BYTES } from "./tile";

/** Queries per block: enough to repay the tiles' set-up, few enough not to multiply what the mask then throws away. */
export const QUERIES: i32 = 12;

/** Bytes from one query's scores to the next: whole panels, so that products need no partial columns. */
// @ts-ignore: decorator
@inline
export function scoresRow(s: i32): usize {
  return (<usize>((s + COLUMNS - 1) / COLUMNS) * COLUMNS) << 2;
}

/** Bytes of scratch for attention and its gradient over s keys of width d in groups of that many heads. */
export function attentionBytes(s: i32, d: i32, group: i32): usize {
  return 2 * panelsBytes(d, s) + panelsBytes(s, d) + 2 * panelsBytes(QUERIES, d) + 2 * <usize>max(QUERIES, group) * scoresRow(s) + TILE_BYTES;
}

/** q [B, T, H, D], k, v [B, S, K, D] -> out [B, T, H, D]; `work` is scratch of attentionBytes. */
export function attention(
  q: usize, k: usize, v: usize, out: usize, b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, work: usize,
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
      const first = (<usize>i * t * h + <usize>head * group) * width;
      if (t == 1) {
        dotRows(q + first, width, k + base, keyRow, scores, stride, group, s, d);
        for (let j = 0; j < group; j++) softmaxRow(scores + <usize>j * stride, s, s, scale);
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
          probabilities(q + at, queryRow, work, scores, stride, rows, limit, d, scale, edge);
          multiply(scores, stride, 4, values, <usize>s << 5, 0, out + at, queryRow, rows, d, limit, edge);
        }
      }
    }
  }
}

/** scores [rows, limit] = softmax of scale q K, the last query seeing all of `limit` keys, each other one key less than its next. */
export function probabilities(
  q: usize, queryRow: usize, keys: usize, scores: usize, stride: usize, rows: i32, limit: i32, d: i32, scale: f32, edge: usize,
): void {
  const columns = <i32>(scoresRow(limit) >> 2);
  multiply(q, queryRow, 4, keys, <usize>d << 5, 0, scores, stride, rows, columns, d, edge);
  for (let i = 0; i < rows; i++) softmaxRow(scores + <usize>i * stride, limit - rows + i + 1, columns, scale);
}

/** row = softmax of scale row over its first `live` numbers; zeros up to `columns`, which is rounded up to four. */
function softmaxRow(row: usize, live: i32, columns: i32, scale: f32): void {
  const end = row + (<usize>((live + 3) & ~3) << 2);
  for (let at = row + (<usize>live << 2); at < end; at += 4) store<f32>(at, -Infinity);
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
  for (let at = row; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), inverse));
  const rest = row + (<usize>columns << 2);
  for (let at = end; at < rest; at += 16) v128.store(at, f32x4.splat(0));
}
