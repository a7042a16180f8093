/**
 * The decoder's attention: norm and rotate the heads of queries and keys (head-norm.ts), then attend (attention.ts). Works on
 * one sequence at a time, so the normed heads stay in the cache.
 */
import { attention, attentionBytes } from "./attention";
import { attentionBackward, attentionBackwardBytes } from "./attention-backward";
import { headNorm, headNormBackward } from "./head-norm";
import { prefetchRows } from "../gemm/prefetch";
import { BOUND, STATISTICS_BYTES } from "./softmax";

/** Bytes of `count` floats, rounded up to whole vectors so that the next array is aligned. */
// @ts-ignore: decorator
@inline
function bytesOf(count: i32): usize {
  return <usize>((count + 3) & ~3) << 2;
}

/** Bytes of a sequence's heads and of their inverse rms. */
// @ts-ignore: decorator
@inline
function headsBytes(t: i32, heads: i32, d: i32): usize {
  return bytesOf(t * heads * d) + bytesOf(t * heads);
}

/** @query Bytes of scratch for normedAttention. */
export function normedAttentionBytes(t: i32, h: i32, kv: i32, d: i32): usize {
  return bytesOf(t * kv * d) + bytesOf(t * h) + attentionBytes(t, d, h / kv);
}

/** @query Bytes of scratch for normedAttentionBackward. */
export function normedAttentionBackwardBytes(t: i32, h: i32, kv: i32, d: i32): usize {
  return headsBytes(t, h, d) + headsBytes(t, kv, d) + attentionBackwardBytes(t, d);
}

/** True if no scaled score can exceed softmax's BOUND. A normed head has at most the length sqrt(d) times its largest weight. */
function isBoundedBy(qWeight: usize, kWeight: usize, d: i32, scale: f32): bool {
  let q: f32 = 0, k: f32 = 0;
  for (let at: usize = 0; at < <usize>d << 2; at += 4) {
    q = max(q, abs(load<f32>(qWeight + at)));
    k = max(k, abs(load<f32>(kWeight + at)));
  }
  return q * k * <f32>d * scale <= BOUND;
}

/**
 * q [B, T, H, D], k, v [B, T, K, D], norm weights [D], rotary.ts's table -> out [B, T, H, D] and statistics [B, T, H, 2]
 * (softmax.ts). `work` is scratch of normedAttentionBytes.
 */
export function normedAttention(
  q: usize, k: usize, v: usize, qWeight: usize, kWeight: usize, table: usize, out: usize, statistics: usize,
  b: i32, t: i32, h: i32, kv: i32, d: i32, epsilon: f32, scale: f32, work: usize,
): void {
  const queries = <usize>(t * h * d) << 2;
  const keys = <usize>(t * kv * d) << 2;
  const inverse = work + bytesOf(t * kv * d);
  const rest = inverse + bytesOf(t * h);
  const isBounded = isBoundedBy(qWeight, kWeight, d, scale);
  for (let i = 0; i < b; i++) {
    // `out` first holds the normed queries; attention overwrites them with its output.
    headNorm(q, qWeight, table, out, inverse, t, h, d, epsilon);
    headNorm(k, kWeight, table, work, inverse, t, kv, d, epsilon);
    attention(out, work, v, out, statistics, 1, t, t, h, kv, d, scale, isBounded, rest);
    q += queries;
    k += keys;
    v += keys;
    out += queries;
    statistics += <usize>(t * h) * STATISTICS_BYTES;
  }
}

/**
 * Replaces q, k and v by their gradients. Writes the gradients of the norm weights to dqWeight and dkWeight [D]. `out` and
 * `statistics` come from the forward pass; dy is [B, T, H, D]. `work` is scratch of normedAttentionBackwardBytes.
 */
export function normedAttentionBackward(
  q: usize, k: usize, v: usize, qWeight: usize, kWeight: usize, table: usize, out: usize, statistics: usize, dy: usize,
  dqWeight: usize, dkWeight: usize, b: i32, t: i32, h: i32, kv: i32, d: i32, epsilon: f32, scale: f32, work: usize,
): void {
  const queries = <usize>(t * h * d) << 2;
  const keys = <usize>(t * kv * d) << 2;
  const qInverse = work + bytesOf(t * h * d);
  const normedKeys = qInverse + bytesOf(t * h);
  const kInverse = normedKeys + bytesOf(t * kv * d);
  const rest = kInverse + bytesOf(t * kv);
  const isBounded = isBoundedBy(qWeight, kWeight, d, scale);
  memory.fill(dqWeight, 0, <usize>d << 2);
  memory.fill(dkWeight, 0, <usize>d << 2);
  for (let i = 0; i < b; i++) {
    // Other work has evicted these arrays from the caches since the forward pass. Reading them in order is fastest (prefetch.ts).
    prefetchRows(q, 1, queries, 0);
    prefetchRows(k, 1, keys, 0);
    prefetchRows(v, 1, keys, 0);
    prefetchRows(out, 1, queries, 0);
    prefetchRows(dy, 1, queries, 0);
    headNorm(q, qWeight, table, work, qInverse, t, h, d, epsilon);
    headNorm(k, kWeight, table, normedKeys, kInverse, t, kv, d, epsilon);
    attentionBackward(work, normedKeys, v, out, statistics, dy, work, normedKeys, v, 1, t, t, h, kv, d, scale, isBounded, rest);
    headNormBackward(q, qWeight, table, qInverse, work, dqWeight, t, h, d);
    headNormBackward(k, kWeight, table, kInverse, normedKeys, dkWeight, t, kv, d);
    q += queries;
    k += keys;
    v += keys;
    out += queries;
    dy += queries;
    statistics += <usize>(t * h) * STATISTICS_BYTES;
  }
}
