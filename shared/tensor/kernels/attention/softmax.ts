/**
 * Softmax of blocks of causal scores. The general case subtracts the largest score of a row first, so that no exponential
 * exceeds 1. Scores of normed heads are bounded and need no subtraction, which saves a seventh of attention's forward time.
 */
import { exp4, normalExp4 } from "../pointwise/exp";
import { addAcross, maxLanes } from "../simd";
import { COLUMNS } from "../gemm/layout";

/** Row stride of scores in bytes. It is a whole number of panels, so products have no partial columns. */
// @ts-ignore: decorator
@inline
export function scoresRow(s: i32): usize {
  return (<usize>((s + COLUMNS - 1) / COLUMNS) * COLUMNS) << 2;
}

/**
 * Bytes of a row's statistics: the subtracted number (the largest score, or 0), then the inverse of the sum. With these the
 * backward pass recomputes the same probabilities in one pass.
 */
export const STATISTICS_BYTES: usize = 8;

/** Softmax needs no subtraction if all scores have at most this absolute value: exponentials and sums stay normal numbers. */
export const BOUND: f32 = 60;

/** Softmax of the rows of a block. The last row sees `limit` keys; each earlier row sees one key less. */
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

/** A mask of the columns that a row with `live` keys sees. */
// @ts-ignore: decorator
@inline
export function seen4(columns: v128, live: i32): v128 {
  return i32x4.lt_s(columns, i32x4.splat(live));
}

/**
 * Replaces `n` rows by softmax(scale row) over the keys that each row sees. The first row sees `live` keys, each further row one
 * more. The rest of a row, up to `columns`, becomes zero. n is 1 or 4, a compile-time constant. Four rows share the latency of
 * the maximum, the sum and the division, and have fewer mispredicted loop ends. Statistics are `step` bytes apart.
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
  // pmax is one instruction, max is seven. pmax may drop a NaN, but the exponential of that score is NaN again, and so is the
  // whole row.
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

/** Like softmaxRows, for bounded scores. Masked scores are bounded too, so their exponentials are computed but left out of the sum. */
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

/** Divides rows of exponentials up to `end` by their sums (a lane of `sums` per row). Fills the rest with zeros. */
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
