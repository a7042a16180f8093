/**
 * The gradients of causal attention. Probabilities are computed again from the scores and the statistics of the forward pass,
 * a span of queries at a time; the sum over keys of p dp is dy . out (arXiv:2205.14135, appendix B).
 *
 * For each head and span: six queries at a time give their probabilities, dScores and dq; then six keys at a time take dk and
 * dv from all queries of the span. Only one span's probabilities and dScores exist.
 */
import { packAPanel, packBPanels, bPanelsBytes } from "../gemm/pack";
import { B_PANEL_ROW, COLUMNS, DEPTH, MICROTILE_BYTES, ROWS } from "../gemm/layout";
import { multiply, multiplyAPanel } from "../gemm/microkernel";
import { exp4, exponentBits4, LOG2_E, MINUS_LN2, ONE, reconstruct4, reducedArgument4, ROUND } from "../pointwise/exp";
import { dot } from "../simd";
import { columns4, scoresRow, seen4, STATISTICS_BYTES } from "./softmax";

/** Queries of a span: one micro-panel takes all of them along k when keys and values get their gradients. */
const SPAN: i32 = DEPTH;

// The call under way, set by `begin`. As globals they spare the functions below a dozen parameters each. Functions that are
// called in one place are inlined: as calls they made the kernel up to 4 % slower.
let keys: i32 = 0;
let heads: i32 = 0;
let width: i32 = 0;
let scoreScale: f32 = 0;
let areBounded: bool = false;
/** Bytes from one position to the next in q, dy, out and dq, in k, v, dk and dv, and from one query's scores to the next. */
let queryRow: usize = 0;
let keyRow: usize = 0;
let spanRow: usize = 0;
/** Packed, of a head: keys and values as columns, for scores; keys as rows, for dq. */
let keyColumns: usize = 0;
let valueColumns: usize = 0;
let keyRows: usize = 0;
/** Packed, of a span: q and dy. */
let spanQueries: usize = 0;
let spanGradients: usize = 0;
/** [SPAN, keys], of a span. */
let probabilities: usize = 0;
let dScores: usize = 0;
/** Scratch of a partial microtile. */
let edge: usize = 0;

/** Bytes from one query's scores to the next: the last six keys may reach beyond the last one. */
// @ts-ignore: decorator
@inline
function spanRowBytes(s: i32): usize {
  return scoresRow(s + COLUMNS);
}

/** @query Bytes of scratch for attentionBackward over s keys of width d. */
export function attentionBackwardBytes(s: i32, d: i32): usize {
  return 2 * bPanelsBytes(d, s) + bPanelsBytes(s, d) + 2 * bPanelsBytes(SPAN, d) + 2 * <usize>SPAN * spanRowBytes(s) + MICROTILE_BYTES;
}

/**
 * dy [B, T, H, D] -> dq [B, T, H, D], dk, dv [B, S, K, D], which may be q, k and v themselves. `work` is scratch of
 * attentionBackwardBytes, `out` and statistics are the forward pass's, other arguments as in `attention`.
 */
export function attentionBackward(
  q: usize, k: usize, v: usize, out: usize, statistics: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, isBounded: bool, work: usize,
): void {
  begin(s, h, kv, d, scale, isBounded, work);
  const group = h / kv;
  const headBytes = <usize>d << 2;
  // A single span reaches every key, so its gradients are written. Several spans add theirs to zeros.
  const isOneSpan = t <= SPAN;
  for (let i = 0; i < b; i++) {
    for (let head = 0; head < kv; head++) {
      const base = (<usize>i * s * kv + head) * headBytes;
      packHead(k + base, v + base);
      for (let j = 0; j < group; j++) {
        for (let first = 0; first < t; first += SPAN) {
          const span = min(SPAN, t - first);
          const past = s - t + first;
          const row = <usize>((i * t + first) * h + head * group + j);
          const at = row * headBytes;
          packSpan(q + at, dy + at, span);
          queriesBack(q + at, out + at, statistics + row * STATISTICS_BYTES, dy + at, dq + at, span, past);
          if (j == 0 && !isOneSpan) clearKeys(dk + base, dv + base, first == 0 ? 0 : past, past + span);
          keysBack(dk + base, dv + base, span, past, isOneSpan && j == 0);
        }
      }
    }
  }
}

/** Sets the call under way and divides up its scratch. */
// @ts-ignore: decorator
@inline
function begin(s: i32, h: i32, kv: i32, d: i32, scale: f32, isBounded: bool, work: usize): void {
  keys = s;
  heads = h;
  width = d;
  scoreScale = scale;
  areBounded = isBounded;
  queryRow = <usize>h * (<usize>d << 2);
  keyRow = <usize>kv * (<usize>d << 2);
  spanRow = spanRowBytes(s);
  keyColumns = work;
  valueColumns = keyColumns + bPanelsBytes(d, s);
  keyRows = valueColumns + bPanelsBytes(d, s);
  spanQueries = keyRows + bPanelsBytes(s, d);
  spanGradients = spanQueries + bPanelsBytes(SPAN, d);
  probabilities = spanGradients + bPanelsBytes(SPAN, d);
  dScores = probabilities + <usize>SPAN * spanRow;
  edge = dScores + <usize>SPAN * spanRow;
}

/** Packs the keys and values of a head. */
// @ts-ignore: decorator
@inline
function packHead(k: usize, v: usize): void {
  packBPanels(k, width, keys, 4, keyRow, keyColumns);
  packBPanels(v, width, keys, 4, keyRow, valueColumns);
  packBPanels(k, keys, width, keyRow, 4, keyRows);
}

/** Packs the queries of a span and the gradients of their outputs. */
// @ts-ignore: decorator
@inline
function packSpan(q: usize, dy: usize, span: i32): void {
  packBPanels(q, span, width, queryRow, 4, spanQueries);
  packBPanels(dy, span, width, queryRow, 4, spanGradients);
}

/** The probabilities, dScores and dq of a span's queries, the first of which has `past` keys before it. */
// @ts-ignore: decorator
@inline
function queriesBack(q: usize, out: usize, statistics: usize, dy: usize, dq: usize, span: i32, past: i32): void {
  const panel = <usize>width * B_PANEL_ROW;
  for (let x = 0; x < span; x += ROWS) {
    const rows = min(ROWS, span - x);
    const limit = past + x + rows;
    const columns = <i32>(scoresRow(limit) >> 2);
    const at = <usize>x * queryRow;
    const p = probabilities + <usize>x * spanRow;
    const dScore = dScores + <usize>x * spanRow;
    // Scores, and the gradients of probabilities; rowBack makes of them what their names say.
    multiply(q + at, queryRow, 4, keyColumns, panel, 0, p, spanRow, rows, columns, width, edge);
    multiply(dy + at, queryRow, 4, valueColumns, panel, 0, dScore, spanRow, rows, columns, width, edge);
    for (let r: usize = 0; r < <usize>rows; r++) {
      const mean = dot(dy + at + r * queryRow, out + at + r * queryRow, width);
      const kept = statistics + (<usize>x + r) * <usize>heads * STATISTICS_BYTES;
      rowBack(p + r * spanRow, dScore + r * spanRow, past + x + <i32>r + 1, limit, kept, mean);
    }
    multiply(dScore, spanRow, 4, keyRows, <usize>keys * B_PANEL_ROW, 0, dq + at, queryRow, rows, width, limit, edge);
  }
}

/** Zeros for the gradients of keys first..end-1, which no span has reached before. */
// @ts-ignore: decorator
@inline
function clearKeys(dk: usize, dv: usize, first: i32, end: i32): void {
  for (let key = first; key < end; key++) {
    memory.fill(dk + <usize>key * keyRow, 0, <usize>width << 2);
    memory.fill(dv + <usize>key * keyRow, 0, <usize>width << 2);
  }
}

/** The gradients of all keys and values that a span reaches: written where isFirst, else added. */
// @ts-ignore: decorator
@inline
function keysBack(dk: usize, dv: usize, span: i32, past: i32, isFirst: bool): void {
  for (let key = 0; key < past + span; key += ROWS) {
    const rows = min(ROWS, past + span - key);
    // Queries before this one see none of these keys.
    const blind = max(0, key - past) & ~3;
    const at = <usize>blind * spanRow + (<usize>key << 2);
    const to = <usize>key * keyRow;
    spanProduct(dScores + at, spanQueries, blind, span, isFirst, dk + to, rows);
    spanProduct(probabilities + at, spanGradients, blind, span, isFirst, dv + to, rows);
  }
}

/** out [rows, D] = or += x^T [rows, span] times the packed queries (or gradients) of a span, from query `blind` on. */
function spanProduct(x: usize, packed: usize, blind: i32, span: i32, isFirst: bool, out: usize, rows: i32): void {
  const depth = span - blind;
  packAPanel(x, 4, spanRow, rows, depth);
  const b = packed + <usize>blind * B_PANEL_ROW;
  multiplyAPanel(b, <usize>span * B_PANEL_ROW, isFirst ? 0 : out, out, 0, 0, keyRow, rows, width, depth, edge);
}

/**
 * A row of scores becomes the probabilities of the forward pass, and `gradients`, the row of the gradients of probabilities dp,
 * becomes dScores = p (dp - mean) scale. Both are zero from key `live` on, as far as six keys reach that begin at most two keys
 * after `limit`.
 */
function rowBack(scores: usize, gradients: usize, live: i32, limit: i32, statistics: usize, mean: f32): void {
  const rest = scores + (<usize>(((limit + 3) & ~3) + COLUMNS) << 2);
  const end = scores + (<usize>((live + 3) & ~3) << 2);
  const top = v128.load32_splat(statistics);
  const inverse = v128.load32_splat(statistics, 4);
  const means = f32x4.splat(mean);
  const factor = f32x4.splat(scoreScale);
  if (areBounded) {
    // The exponential takes two iterations of the loop, as in pointwise/swiglu.ts; the last iteration prepares one that is not used.
    const round = ROUND, log2e = LOG2_E, minusLn2 = MINUS_LN2, one = ONE;
    let x = f32x4.mul(v128.load(scores), factor);
    let exponentBits = exponentBits4(x, log2e, round);
    let r = reducedArgument4(x, exponentBits, round, minusLn2);
    for (; scores < end; scores += 16) {
      const e = reconstruct4(exponentBits, r, one);
      x = f32x4.mul(v128.load(scores, 16), factor);
      exponentBits = exponentBits4(x, log2e, round);
      r = reducedArgument4(x, exponentBits, round, minusLn2);
      back4(scores, gradients, f32x4.mul(e, inverse), factor, means);
      gradients += 16;
    }
  } else {
    for (; scores < end; scores += 16) {
      const e = exp4(f32x4.mul(f32x4.sub(v128.load(scores), top), factor));
      back4(scores, gradients, f32x4.mul(e, inverse), factor, means);
      gradients += 16;
    }
  }
  if ((live & 3) != 0) {
    const seen = seen4(columns4(0), live & 3);
    v128.store(scores - 16, v128.and(v128.load(scores - 16), seen));
    v128.store(gradients - 16, v128.and(v128.load(gradients - 16), seen));
  }
  for (; scores < rest; scores += 16) {
    v128.store(scores, f32x4.splat(0));
    v128.store(gradients, f32x4.splat(0));
    gradients += 16;
  }
}

// @ts-ignore: decorator
@inline
function back4(scores: usize, gradients: usize, p: v128, factor: v128, means: v128): void {
  v128.store(scores, p);
  v128.store(gradients, f32x4.mul(f32x4.mul(p, factor), f32x4.sub(v128.load(gradients), means)));
}
