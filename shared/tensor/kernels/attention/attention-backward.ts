/**
 * The gradients of causal attention. Probabilities are recomputed from the scores and the statistics of the forward pass. The
 * softmax gradient needs the sum over keys of p dp; this sum equals dy . out (arXiv:2205.14135, appendix B).
 *
 * Queries are processed in spans of 64. First, six queries at a time: probabilities, dScores and dq. Then, six keys at a time:
 * dk and dv from all queries of the span. Memory holds the probabilities and dScores of one span and head.
 */
import { packAPanel, packBPanels, bPanelsBytes } from "../gemm/pack";
import { B_PANEL_ROW, COLUMNS, DEPTH, MICROTILE_BYTES, ROWS } from "../gemm/layout";
import { multiply, multiplyAPanel } from "../gemm/microkernel";
import { exp4, exponentBits4, LOG2_E, MINUS_LN2, ONE, reconstruct4, reducedArgument4, ROUND } from "../pointwise/exp";
import { dot } from "../simd";
import { columns4, scoresRow, seen4, STATISTICS_BYTES } from "./softmax";

/** Queries per span: the length of a micro-panel, so dk and dv of six keys need one micro-panel each. */
const SPAN: i32 = DEPTH;

// Arguments of the current call, set by `begin`. Globals save the functions below a dozen parameters each. Functions with one
// caller are inlined, because calls made the kernel up to 4 % slower.
let keys: i32 = 0;
let heads: i32 = 0;
let width: i32 = 0;
let scoreScale: f32 = 0;
let areBounded: bool = false;
/** Row strides in bytes: of q, dy, out and dq; of k, v, dk and dv; of the scores of a span. */
let queryRow: usize = 0;
let keyRow: usize = 0;
let spanRow: usize = 0;
/** Packed data of a head: keys as columns and values as columns for the scores, keys as rows for dq. */
let keyColumns: usize = 0;
let valueColumns: usize = 0;
let keyRows: usize = 0;
/** Packed data of a span: q and dy. */
let spanQueries: usize = 0;
let spanGradients: usize = 0;
/** [SPAN, keys], probabilities and dScores of a span. */
let probabilities: usize = 0;
let dScores: usize = 0;
/** Scratch for a partial microtile. */
let edge: usize = 0;

/** Row stride of a span's scores. The extra columns are for the last six keys, which may exceed s. */
// @ts-ignore: decorator
@inline
function spanRowBytes(s: i32): usize {
  return scoresRow(s + COLUMNS);
}

/** @query Bytes of scratch for attentionBackward with s keys of width d. */
export function attentionBackwardBytes(s: i32, d: i32): usize {
  return 2 * bPanelsBytes(d, s) + bPanelsBytes(s, d) + 2 * bPanelsBytes(SPAN, d) + 2 * <usize>SPAN * spanRowBytes(s) + MICROTILE_BYTES;
}

/**
 * dy [B, T, H, D] -> dq [B, T, H, D], dk, dv [B, S, K, D]. The results may overwrite q, k and v. `work` is scratch of
 * attentionBackwardBytes. `out` and `statistics` come from the forward pass. Other arguments as in `attention`.
 */
export function attentionBackward(
  q: usize, k: usize, v: usize, out: usize, statistics: usize, dy: usize, dq: usize, dk: usize, dv: usize,
  b: i32, t: i32, s: i32, h: i32, kv: i32, d: i32, scale: f32, isBounded: bool, work: usize,
): void {
  begin(s, h, kv, d, scale, isBounded, work);
  const group = h / kv;
  const headBytes = <usize>d << 2;
  // A single span covers all keys, so it writes dk and dv. Several spans add to zeros.
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

/** Sets the globals for this call and divides the scratch. */
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

/** Computes probabilities, dScores and dq of a span's queries. `past` keys precede the first query. */
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
    // First p holds scores and dScore holds dp, the gradients of the probabilities. Then rowBack replaces both.
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

/** Sets the gradients of keys first..end-1 to zero. No earlier span has added to these gradients. */
// @ts-ignore: decorator
@inline
function clearKeys(dk: usize, dv: usize, first: i32, end: i32): void {
  for (let key = first; key < end; key++) {
    memory.fill(dk + <usize>key * keyRow, 0, <usize>width << 2);
    memory.fill(dv + <usize>key * keyRow, 0, <usize>width << 2);
  }
}

/** Computes dk and dv of all keys that the span's queries see. Writes them if isFirst, else adds them. */
// @ts-ignore: decorator
@inline
function keysBack(dk: usize, dv: usize, span: i32, past: i32, isFirst: bool): void {
  for (let key = 0; key < past + span; key += ROWS) {
    const rows = min(ROWS, past + span - key);
    // Causal mask: queries before `blind` see none of these keys.
    const blind = max(0, key - past) & ~3;
    const at = <usize>blind * spanRow + (<usize>key << 2);
    const to = <usize>key * keyRow;
    spanProduct(dScores + at, spanQueries, blind, span, isFirst, dk + to, rows);
    spanProduct(probabilities + at, spanGradients, blind, span, isFirst, dv + to, rows);
  }
}

/** out [rows, D] = (or +=) x^T times the span's packed queries or gradients, from query `blind` on */
function spanProduct(x: usize, packed: usize, blind: i32, span: i32, isFirst: bool, out: usize, rows: i32): void {
  const depth = span - blind;
  packAPanel(x, 4, spanRow, rows, depth);
  const b = packed + <usize>blind * B_PANEL_ROW;
  multiplyAPanel(b, <usize>span * B_PANEL_ROW, isFirst ? 0 : out, out, 0, 0, keyRow, rows, width, depth, edge);
}

/**
 * Replaces a row of scores by probabilities p. Replaces the row dp (`gradients`) by dScores = p (dp - mean) scale. Writes zeros
 * from key `live` on. The zeros reach far enough for the last six keys that keysBack reads.
 */
function rowBack(scores: usize, gradients: usize, live: i32, limit: i32, statistics: usize, mean: f32): void {
  const rest = scores + (<usize>(((limit + 3) & ~3) + COLUMNS) << 2);
  const end = scores + (<usize>((live + 3) & ~3) << 2);
  const top = v128.load32_splat(statistics);
  const inverse = v128.load32_splat(statistics, 4);
  const means = f32x4.splat(mean);
  const factor = f32x4.splat(scoreScale);
  if (areBounded) {
    // Each exponential takes two iterations, as in pointwise/swiglu.ts. The last iteration prepares an exponential that is not
    // used.
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
