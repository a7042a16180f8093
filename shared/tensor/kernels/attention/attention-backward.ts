/**
 * The gradients of causal attention. Probabilities are computed again from the scores, a strip of queries at a time, with
 * what the forward pass kept of each row; sum over keys of p dp is dy . out (arXiv:2205.14135, appendix B).
 */
import { exp4, LOG2_E, MINUS_LN2, ONE, exponentBits4, reconstruct4, reducedArgument4, ROUND } from "../pointwise/exp";
import { packBPanels, packAPanel, bPanelsBytes } from "../gemm/pack";
import { dot } from "../simd";
import { columns4, scoresRow, seen4, STATISTICS_BYTES } from "./softmax";
import { B_PANEL_ROW, COLUMNS, DEPTH, MICROTILE_BYTES, ROWS } from "../gemm/layout";
import { multiply, multiplyAPanel } from "../gemm/microkernel";

/** Queries whose probabilities are kept, so that the gradients of keys and values take them in one strip. */
const SPAN: i32 = DEPTH;

/** Bytes from one query's probabilities to the next: a strip of keys may reach beyond the last one. */
// @ts-ignore: decorator
@inline
function spanRow(s: i32): usize {
  return scoresRow(s + COLUMNS);
}

/** @query Bytes of scratch over s keys of width d. */
export function attentionBackwardBytes(s: i32, d: i32): usize {
  return 2 * bPanelsBytes(d, s) + bPanelsBytes(s, d) + 2 * bPanelsBytes(SPAN, d) + 2 * <usize>SPAN * spanRow(s) + MICROTILE_BYTES;
}

/**
 * dq [B, T, H, D], dk, dv [B, S, K, D] from dy [B, T, H, D], each of which may lie where q, k and v do; `work` is scratch of
 * attentionBackwardBytes, other arguments as in attention.
 */
export function attentionBackward(
  q: usize, k: usize, v: usize, out: usize, statistics: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, isBounded: bool, work: usize,
): void {
  const group = h / kv;
  const width = <usize>d << 2;
  const queryRow = <usize>h * width;
  const keyRow = <usize>kv * width;
  const stride = spanRow(s);
  // Packed: keys and values as columns (for scores), keys as rows (for dq), the span's q and dy.
  const valueColumns = work + bPanelsBytes(d, s);
  const keyRows = valueColumns + bPanelsBytes(d, s);
  const queries = keyRows + bPanelsBytes(s, d);
  const outputs = queries + bPanelsBytes(SPAN, d);
  const scores = outputs + bPanelsBytes(SPAN, d);
  const slopes = scores + <usize>SPAN * stride;
  const edge = slopes + <usize>SPAN * stride;
  // One span reaches every key, so that its gradients are the first there are. Else they are added to zeros.
  const isOneSpan = t <= SPAN;
  for (let i = 0; i < b; i++) {
    for (let head = 0; head < kv; head++) {
      const base = (<usize>i * s * kv + head) * width;
      packBPanels(k + base, d, s, 4, keyRow, work);
      packBPanels(v + base, d, s, 4, keyRow, valueColumns);
      packBPanels(k + base, s, d, keyRow, 4, keyRows);
      for (let j = 0; j < group; j++) {
        for (let first = 0; first < t; first += SPAN) {
          const span = min(SPAN, t - first);
          const past = s - t + first;
          const row = (i * t + first) * h + head * group + j;
          packBPanels(q + <usize>row * width, span, d, queryRow, 4, queries);
          packBPanels(dy + <usize>row * width, span, d, queryRow, 4, outputs);
          for (let x = 0; x < span; x += ROWS) {
            const rows = min(ROWS, span - x);
            const limit = past + x + rows;
            const columns = <i32>(scoresRow(limit) >> 2);
            const at = <usize>row * width + <usize>x * queryRow;
            const p = scores + <usize>x * stride;
            const slope = slopes + <usize>x * stride;
            multiply(q + at, queryRow, 4, work, <usize>d * B_PANEL_ROW, 0, p, stride, rows, columns, d, edge);
            multiply(dy + at, queryRow, 4, valueColumns, <usize>d * B_PANEL_ROW, 0, slope, stride, rows, columns, d, edge);
            for (let r: usize = 0; r < <usize>rows; r++) {
              const mean = dot(dy + at + r * queryRow, out + at + r * queryRow, d);
              const kept = statistics + <usize>(row + (x + <i32>r) * h) * STATISTICS_BYTES;
              scoresBack(p + r * stride, slope + r * stride, past + x + <i32>r + 1, limit, kept, mean, scale, isBounded);
            }
            multiply(slope, stride, 4, keyRows, <usize>s * B_PANEL_ROW, 0, dq + at, queryRow, rows, d, limit, edge);
          }
          const isFirst = isOneSpan && j == 0;
          // Keys that no span before this one has reached.
          if (j == 0 && !isOneSpan) {
            for (let key = first == 0 ? 0 : past; key < past + span; key++) {
              memory.fill(dk + base + <usize>key * keyRow, 0, width);
              memory.fill(dv + base + <usize>key * keyRow, 0, width);
            }
          }
          for (let key = 0; key < past + span; key += ROWS) {
            const rows = min(ROWS, past + span - key);
            // Queries before this one see none of the strip's keys.
            const blind = max(0, key - past) & ~3;
            const at = <usize>blind * stride + (<usize>key << 2);
            const to = base + <usize>key * keyRow;
            keysBack(slopes + at, stride, queries, blind, span, isFirst, dk + to, keyRow, rows, d, edge);
            keysBack(scores + at, stride, outputs, blind, span, isFirst, dv + to, keyRow, rows, d, edge);
          }
        }
      }
    }
  }
}

/**
 * A row of scores becomes the probabilities that they were in the forward pass, and slopes, the gradient of those, become
 * that of the scores, p (slope - mean) scale. Both are zero from `live` on, for as far as a strip of keys that begins at
 * most two keys after `limit` reaches.
 */
function scoresBack(
  scores: usize, slopes: usize, live: i32, limit: i32, statistics: usize, mean: f32, scale: f32, isBounded: bool,
): void {
  const rest = scores + (<usize>(((limit + 3) & ~3) + COLUMNS) << 2);
  const end = scores + (<usize>((live + 3) & ~3) << 2);
  const top = v128.load32_splat(statistics);
  const inverse = v128.load32_splat(statistics, 4);
  const means = f32x4.splat(mean);
  const factor = f32x4.splat(scale);
  if (isBounded) {
    // An exponential is made in two turns of the loop, as in swiglu.ts; what lies behind the last is made in vain.
    const round = ROUND, log2e = LOG2_E, minusLn2 = MINUS_LN2, one = ONE;
    let x = f32x4.mul(v128.load(scores), factor);
    let powers = exponentBits4(x, log2e, round);
    let r = reducedArgument4(x, powers, round, minusLn2);
    for (; scores < end; scores += 16) {
      const e = reconstruct4(powers, r, one);
      x = f32x4.mul(v128.load(scores, 16), factor);
      powers = exponentBits4(x, log2e, round);
      r = reducedArgument4(x, powers, round, minusLn2);
      back4(scores, slopes, f32x4.mul(e, inverse), factor, means);
      slopes += 16;
    }
  } else {
    for (; scores < end; scores += 16) {
      const e = exp4(f32x4.mul(f32x4.sub(v128.load(scores), top), factor));
      back4(scores, slopes, f32x4.mul(e, inverse), factor, means);
      slopes += 16;
    }
  }
  if ((live & 3) != 0) {
    const seen = seen4(columns4(0), live & 3);
    v128.store(scores - 16, v128.and(v128.load(scores - 16), seen));
    v128.store(slopes - 16, v128.and(v128.load(slopes - 16), seen));
  }
  for (; scores < rest; scores += 16) {
    v128.store(scores, f32x4.splat(0));
    v128.store(slopes, f32x4.splat(0));
    slopes += 16;
  }
}

// @ts-ignore: decorator
@inline
function back4(scores: usize, slopes: usize, p: v128, factor: v128, means: v128): void {
  v128.store(scores, p);
  v128.store(slopes, f32x4.mul(f32x4.mul(p, factor), f32x4.sub(v128.load(slopes), means)));
}

/**
 * out [rows, d], the gradients of keys (or values), += or = x^T [rows, span] times the packed queries (or dy) from query
 * `blind` on.
 */
function keysBack(
  x: usize, stride: usize, packed: usize, blind: i32, span: i32, isFirst: bool, out: usize, outRow: usize, rows: i32, d: i32, edge: usize,
): void {
  const depth = span - blind;
  packAPanel(x, 4, stride, rows, depth);
  multiplyAPanel(packed + <usize>blind * B_PANEL_ROW, <usize>span * B_PANEL_ROW, isFirst ? 0 : out, out, 0, 0, outRow, rows, d, depth, edge);
}
