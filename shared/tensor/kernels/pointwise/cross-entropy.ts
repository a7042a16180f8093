/**
 * Mean cross-entropy with integer labels; label -1 is ignored. The forward pass keeps two numbers per row, with which the
 * backward pass computes the gradient in one pass. Labels are used as addresses, so the caller must check them first
 * (firstOutside).
 */
import { exp1, exp4, log } from "./exp";

/** @query The number of labels [rows] that are not -1. */
export function liveLabels(labels: usize, rows: i32): i32 {
  let live = 0;
  for (let row = 0; row < rows; row++) live += i32(load<i32>(labels + (<usize>row << 2)) >= 0);
  return live;
}

/** The maximum of x [vocab]. */
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
 * Returns log sum exp(x) for x [vocab]. Writes the maximum and 1 / sum exp(x - maximum) to normalizer [2]. The backward pass
 * needs both numbers: for logits of 1e4, float32 cannot represent their combination exactly.
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
  // A NaN logit makes the loss NaN. log() does not accept NaN.
  return isNaN(sum) ? NaN : <f64>top + log(<f64>sum);
}

/** logits [rows, vocab], labels [rows] -> loss [1], and normalizer [rows, 2] for the backward pass (undefined in ignored rows) */
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

/** dlogits [rows, vocab] = (softmax - one-hot) dy / live, with dy [1]; 0 in ignored rows */
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
 * Loss and gradient in one pass. Replaces logits [rows, vocab] by scale * row weight * (softmax - one-hot), or 0 in ignored
 * rows. total [1] += scale times the weighted sum of the losses. rowWeights [rows]; address 0: all weights are 1. Each
 * exponential is computed once and overwrites its logit.
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
    // A weight of 1 leaves the product bit-identical.
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
