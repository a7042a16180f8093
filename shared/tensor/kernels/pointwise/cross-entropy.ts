/**
 * Mean cross-entropy from integer labels; -1 is ignored. Forward keeps two numbers of each row, from which backward computes the
 * gradient in one pass. The caller has checked the labels (firstOutside): they become addresses here.
 */
import { exp1, exp4, log } from "./exp";

/** @query Number of labels [rows] that are not -1. */
export function liveLabels(labels: usize, rows: i32): i32 {
  let live = 0;
  for (let row = 0; row < rows; row++) live += i32(load<i32>(labels + (<usize>row << 2)) >= 0);
  return live;
}

/** The largest of x [vocab]. */
// @ts-ignore: decorator
@inline
function largest(x: usize, vocab: i32): f32 {
  const vectors = vocab & ~3;
  let tops = f32x4.splat(-Infinity);
  let i = 0;
  for (; i < vectors; i += 4) tops = f32x4.pmax(tops, v128.load(x + (<usize>i << 2)));
  let top = max(max(f32x4.extract_lane(tops, 0), f32x4.extract_lane(tops, 1)), max(f32x4.extract_lane(tops, 2), f32x4.extract_lane(tops, 3)));
  for (; i < vocab; i++) top = max(top, load<f32>(x + (<usize>i << 2)));
  return top;
}

/**
 * Writes the largest of x [vocab] and 1 / sum exp(x - largest) to normalizer [2] -> log sum exp(x). Backward needs the two
 * numbers apart: for logits of 1e4 a float32 cannot hold their combination exactly.
 */
// @ts-ignore: decorator
@inline
function normalize(x: usize, normalizer: usize, vocab: i32): f64 {
  const vectors = vocab & ~3;
  const top = largest(x, vocab);
  let i = 0;
  const shift = f32x4.splat(top);
  let sums = f32x4.splat(0);
  for (i = 0; i < vectors; i += 4) sums = f32x4.add(sums, exp4(f32x4.sub(v128.load(x + (<usize>i << 2)), shift)));
  let sum = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
  for (; i < vocab; i++) sum += exp1(load<f32>(x + (<usize>i << 2)) - top);
  store<f32>(normalizer, top);
  store<f32>(normalizer, <f32>1 / sum, 4);
  // A NaN among the logits makes the loss NaN. log() takes numbers only.
  return isNaN(sum) ? NaN : <f64>top + log(<f64>sum);
}

/** logits [rows, vocab], labels [rows] -> loss [1], normalizer [rows, 2] for backward, which is unset in ignored rows. */
export function crossEntropy(logits: usize, labels: usize, loss: usize, normalizer: usize, rows: i32, vocab: i32, live: i32): void {
  let sum: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const label = load<i32>(labels + (<usize>row << 2));
    if (label < 0) continue;
    const x = logits + ((<usize>row * vocab) << 2);
    sum += normalize(x, normalizer + (<usize>row << 3), vocab) - <f64>load<f32>(x + (<usize>label << 2));
  }
  store<f32>(loss, <f32>(sum / <f64>live));
}

/** dlogits [rows, vocab] = (softmax - one-hot) dy / live, 0 in ignored rows; dy [1]. */
export function crossEntropyBackward(logits: usize, labels: usize, normalizer: usize, dy: usize, dlogits: usize, rows: i32, vocab: i32, live: i32): void {
  const weight: f32 = load<f32>(dy) / <f32>live;
  const vectors = vocab & ~3;
  for (let row = 0; row < rows; row++) {
    const label = load<i32>(labels + (<usize>row << 2));
    const start = (<usize>row * vocab) << 2;
    if (label < 0) {
      memory.fill(dlogits + start, 0, <usize>vocab << 2);
      continue;
    }
    const x = logits + start;
    const out = dlogits + start;
    const top = load<f32>(normalizer + (<usize>row << 3));
    const scale = weight * load<f32>(normalizer + (<usize>row << 3), 4);
    const tops = f32x4.splat(top);
    const scales = f32x4.splat(scale);
    let i = 0;
    for (; i < vectors; i += 4) {
      const at = <usize>i << 2;
      v128.store(out + at, f32x4.mul(scales, exp4(f32x4.sub(v128.load(x + at), tops))));
    }
    for (; i < vocab; i++) {
      const at = <usize>i << 2;
      store<f32>(out + at, scale * exp1(load<f32>(x + at) - top));
    }
    const hit = out + (<usize>label << 2);
    store<f32>(hit, load<f32>(hit) - weight);
  }
}

/**
 * Loss and gradient in one pass: logits [rows, vocab] become scale times the row's weight times (softmax - one-hot), 0 in ignored
 * rows; total [1] += scale times the weighted sum of the losses. rowWeights [rows] are 1 where the address is 0. Each exponential
 * is computed once and replaces its logit.
 */
export function crossEntropyInPlace(logits: usize, labels: usize, rowWeights: usize, total: usize, rows: i32, vocab: i32, scale: f32): void {
  const vectors = vocab & ~3;
  let losses: f64 = 0;
  for (let row = 0; row < rows; row++) {
    const label = load<i32>(labels + (<usize>row << 2));
    const x = logits + ((<usize>row * vocab) << 2);
    if (label < 0) {
      memory.fill(x, 0, <usize>vocab << 2);
      continue;
    }
    // A weight of 1 changes no bit of the product.
    const rowWeight: f32 = rowWeights == 0 ? 1 : load<f32>(rowWeights + (<usize>row << 2));
    const weight = scale * rowWeight;
    const hit = x + (<usize>label << 2);
    const target = load<f32>(hit);
    const top = largest(x, vocab);
    const shift = f32x4.splat(top);
    let sums = f32x4.splat(0);
    let i = 0;
    for (; i < vectors; i += 4) {
      const at = x + (<usize>i << 2);
      const value = exp4(f32x4.sub(v128.load(at), shift));
      v128.store(at, value);
      sums = f32x4.add(sums, value);
    }
    let sum = f32x4.extract_lane(sums, 0) + f32x4.extract_lane(sums, 1) + (f32x4.extract_lane(sums, 2) + f32x4.extract_lane(sums, 3));
    for (; i < vocab; i++) {
      const at = x + (<usize>i << 2);
      const value = exp1(load<f32>(at) - top);
      store<f32>(at, value);
      sum += value;
    }
    losses += isNaN(sum) ? NaN : <f64>rowWeight * (<f64>top + log(<f64>sum) - <f64>target);
    const share: f32 = weight / sum;
    const shares = f32x4.splat(share);
    for (i = 0; i < vectors; i += 4) {
      const at = x + (<usize>i << 2);
      v128.store(at, f32x4.mul(shares, v128.load(at)));
    }
    for (; i < vocab; i++) {
      const at = x + (<usize>i << 2);
      store<f32>(at, share * load<f32>(at));
    }
    store<f32>(hit, load<f32>(hit) - weight);
  }
  store<f32>(total, <f32>(<f64>load<f32>(total) + <f64>scale * losses));
}
