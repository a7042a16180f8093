/**
 * Softmax of blocks of causal scores. In general it subtracts the largest score of a row first, so that no exponential exceeds
 * one. Scores of normed heads are bounded and skip that, which saves a seventh of attention forward.
 */
import { exp4, normalExp4 } from "../pointwise/exp";
import { addAcross, maxLanes } from "../simd";
import { COLUMNS } from "../gemm/layout";

/** Bytes from one query's scores to the next: whole panels, so that products have no partial columns. */
// @ts-ignore: decorator
@inline
export function scoresRow(s: i32): usize {
  return (<usize>((s + COLUMNS - 1) / COLUMNS) * COLUMNS) << 2;
}

/**
 * Bytes of a row's statistics, from which backward computes the same probabilities in one pass: the number that was subtracted
 * from the scores (the largest of them, or 0) and the inverse sum.
 */
export const STATISTICS_BYTES: usize = 8;

/** Up to this absolute value softmax subtracts nothing from scores: their exponentials and sums are normal numbers. */
export const BOUND: f32 = 60;

/** Softmax of a block's rows. The last row sees `limit` keys, each row before it one key fewer. */
export function softmaxBlock(scores: usize, stride: usize, rows: i32, limit: i32, scale: f32, isBounded: bool, statistics: usize, step: usize): void {
  const columns = <i32>(scoresRow(limit) >> 2);
  let live = limit - rows + 1;
  for (; live + 3 <= limit; live += 4) {
    if (isBounded) boundedSoftmaxRows(4, scores, stride, live, columns, scale, statistics, step);
    else softmaxRows(4, scores, stride, live, columns, scale, statistics, step);
    scores += 4 * stride;
    statistics += 4 * step;
  }
  for (; live <= limit; live++) {
    if (isBounded) boundedSoftmaxRows(1, scores, stride, live, columns, scale, statistics, step);
    else softmaxRows(1, scores, stride, live, columns, scale, statistics, step);
    scores += stride;
    statistics += step;
  }
}

/** The indices of four columns. */
// @ts-ignore: decorator
@inline
export function columns4(first: usize): v128 {
  return i32x4.add(i32x4.splat(<i32>first), i32x4(0, 1, 2, 3));
}

/** The mask of the columns that a row with `live` keys sees. */
// @ts-ignore: decorator
@inline
export function seen4(columns: v128, live: i32): v128 {
  return i32x4.lt_s(columns, i32x4.splat(live));
}

/**
 * `n` rows, one or four, become softmax(scale row) over the keys that each sees, and zeros up to `columns`, rounded up to four.
 * The first row sees `live` keys, each further row one more; n is known at compile time. Four rows side by side wait once for
 * the largest, the sum and its inverse, and mispredict fewer loop ends. Statistics lie `step` bytes apart.
 */
// @ts-ignore: decorator
@inline
function softmaxRows(n: i32, row: usize, stride: usize, live: i32, columns: i32, scale: f32, statistics: usize, step: usize): void {
  const end = <usize>((live + n + 2) & ~3) << 2;
  for (let at = <usize>(live & ~3) << 2; at < end; at += 16) {
    const places = columns4(at >> 2);
    // @unroll R 4
    if (R < n) {
      const place = row + R * stride + at;
      v128.store(place, v128.bitselect(v128.load(place), f32x4.splat(-Infinity), seen4(places, live + R)));
    }
    // @end
  }
  // @unroll R 4
  let tops$R = f32x4.splat(-Infinity);
  // @end
  // pmax is one instruction, max is seven. It skips a NaN, but the exponentials keep it, and so does the whole row.
  for (let at: usize = 0; at < end; at += 16) {
    // @unroll R 4
    if (R < n) tops$R = f32x4.pmax(tops$R, v128.load(row + R * stride + at));
    // @end
  }
  const factor = f32x4.splat(scale);
  // @unroll R 4
  const top$R = f32x4.splat(maxLanes(tops$R));
  let sums$R = f32x4.splat(0);
  if (R < n) store<f32>(statistics + R * step, f32x4.extract_lane(top$R, 0));
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
  divideRows(n, row, stride, end, columns, addAcross(sums$0, sums$1, sums$2, sums$3), statistics, step);
}

/** The same for bounded scores. Unseen scores are bounded too: their exponentials are computed and left out of the sum. */
// @ts-ignore: decorator
@inline
function boundedSoftmaxRows(n: i32, row: usize, stride: usize, live: i32, columns: i32, scale: f32, statistics: usize, step: usize): void {
  const whole = <usize>(live & ~3) << 2;
  const end = <usize>((live + n + 2) & ~3) << 2;
  const factor = f32x4.splat(scale);
  // @unroll R 4
  let sums$R = f32x4.splat(0);
  if (R < n) store<f32>(statistics + R * step, 0);
  // @end
  for (let at: usize = 0; at < whole; at += 16) {
    // @unroll R 4
    if (R < n) {
      const value = normalExp4(f32x4.mul(v128.load(row + R * stride + at), factor));
      sums$R = f32x4.add(sums$R, value);
      v128.store(row + R * stride + at, value);
    }
    // @end
  }
  for (let at = whole; at < end; at += 16) {
    const places = columns4(at >> 2);
    // @unroll R 4
    if (R < n) {
      const value = v128.and(normalExp4(f32x4.mul(v128.load(row + R * stride + at), factor)), seen4(places, live + R));
      sums$R = f32x4.add(sums$R, value);
      v128.store(row + R * stride + at, value);
    }
    // @end
  }
  divideRows(n, row, stride, end, columns, addAcross(sums$0, sums$1, sums$2, sums$3), statistics, step);
}

/** Divides rows of exponentials up to `end` by their sums, one in each lane of `sums`, and fills them with zeros beyond. */
// @ts-ignore: decorator
@inline
function divideRows(n: i32, row: usize, stride: usize, end: usize, columns: i32, sums: v128, statistics: usize, step: usize): void {
  const inverse = f32x4.div(f32x4.splat(1), sums);
  // @unroll R 4
  if (R < n) store<f32>(statistics + R * step, f32x4.extract_lane(inverse, R), 4);
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
