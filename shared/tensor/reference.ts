/**
 * The definitions of ops.ts in plain tfjs, for any tfjs backend. Tests compare the fused kernels with them, and ops.ts uses them
 * when a kernel is missing. Axis letters as in ops.ts.
 */
import * as tf from "@tensorflow/tfjs-core";

/** Low enough that exp() of a masked score is 0 in float32, and high enough that adding scores does not overflow. */
const MASKED_SCORE = -1e9;

/** x [N, C], weight [O, C] -> [N, O] */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D): tf.Tensor2D {
  if (x.shape[1] !== weight.shape[1]) throw new Error(`linear: expected weight [O, ${x.shape[1]}], got [${weight.shape}]`);
  return tf.matMul(x, weight, false, true);
}

/** weight [V, C], ids int32 [N] -> [N, C] */
export function embedding(weight: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor2D {
  return tf.gather(weight, ids);
}

/** x [..., C], weight [C] -> x / rms(x) * weight [..., C] (arXiv:1910.07467) */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor, epsilon: number): T {
  return tf.tidy(() => tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon))), weight) as T);
}

/** x [B, T, H, D] at positions offset.. -> rotated x [B, T, H, D], in halves as in Hugging Face (arXiv:2104.09864) */
export function rotary(x: tf.Tensor4D, theta: number, offset = 0): tf.Tensor4D {
  const [, length, , width] = x.shape;
  return tf.tidy(() => {
    const half = width / 2;
    const angles = Float32Array.from({ length: length * half }, (_, index) => {
      const position = offset + Math.floor(index / half);
      return position * theta ** (-(index % half) / half);
    });
    const cos = tf.tensor4d(angles.map(Math.cos), [1, length, 1, half]);
    const sin = tf.tensor4d(angles.map(Math.sin), [1, length, 1, half]);
    const [low, high] = tf.split(x, 2, 3) as [tf.Tensor4D, tf.Tensor4D];
    const rotated = [tf.sub(tf.mul(low, cos), tf.mul(high, sin)), tf.add(tf.mul(high, cos), tf.mul(low, sin))] as tf.Tensor4D[];
    return tf.concat4d(rotated, 3);
  });
}

/** q [B, T, H, D], k and v [B, S, K, D] -> [B, T, H, D]. Query t sees keys up to S - T + t. Head h uses key head h K / H. */
export function causalAttention(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  const [, queries, heads, width] = q.shape;
  const [, keys, kvHeads] = k.shape;
  if (heads % kvHeads !== 0 || v.shape[1] !== keys) {
    throw new Error(`causalAttention: expected k, v [B, S, K, D] with K dividing ${heads}, got k [${k.shape}], v [${v.shape}]`);
  }
  return tf.tidy(() => {
    const scores = tf.mul(tf.matMul(toHeads(q, heads), toHeads(k, heads), false, true), 1 / Math.sqrt(width)); // [B, H, T, S]
    const masked = queries === 1 ? scores : tf.add(scores, causalMask(queries, keys));
    const mixed = tf.matMul(tf.softmax(masked), toHeads(v, heads)); // [B, H, T, D]
    return tf.transpose(mixed, [0, 2, 1, 3]) as tf.Tensor4D;
  });
}

/** [B, S, K, D] -> [B, H, S, D], with repeated key heads */
function toHeads(x: tf.Tensor4D, heads: number): tf.Tensor4D {
  return tf.transpose(repeatHeads(x, heads / x.shape[2]), [0, 2, 1, 3]) as tf.Tensor4D;
}

/** [B, S, K, D] -> [B, S, K * times, D]; the copies of a head are neighbours */
function repeatHeads(x: tf.Tensor4D, times: number): tf.Tensor4D {
  if (times === 1) return x;
  const [batch, length, heads, width] = x.shape;
  // Folds batch and positions, because tf.tile has a gradient only for up to four axes.
  return tf.reshape(tf.tile(tf.reshape(x, [batch * length, heads, 1, width]), [1, 1, times, 1]), [
    batch,
    length,
    heads * times,
    width,
  ]) as tf.Tensor4D;
}

/** [T, S]: 0 if query t sees the key, else MASKED_SCORE */
function causalMask(queries: number, keys: number): tf.Tensor2D {
  const past = keys - queries;
  const values = Float32Array.from({ length: queries * keys }, (_, index) =>
    index % keys > past + Math.floor(index / keys) ? MASKED_SCORE : 0,
  );
  return tf.tensor2d(values, [queries, keys]);
}

/** gate [N, F], up [N, F] -> silu(gate) * up [N, F] (arXiv:2002.05202) */
export function swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => tf.mul(tf.mul(gate, tf.sigmoid(gate)), up));
}

/**
 * logits [N, V], labels int32 [N] -> the mean of -log p(label) in nats, over labels that are not -1. Row weights [N] are
 * optional. The gradient is softmax minus one at the label, so labels stay integers.
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, rowWeights?: Float32Array): tf.Scalar {
  const [rows, vocab] = logits.shape;
  const flat = labels.dataSync() as Int32Array;
  const bad = flat.findIndex((label) => label < -1 || label >= vocab);
  if (bad >= 0) {
    throw new Error(`crossEntropy: expected labels of -1 (ignored) or 0..${vocab - 1}, got ${String(flat[bad])} in row ${bad}`);
  }
  const weights = Float32Array.from(flat, (label, row) => (label >= 0 ? (rowWeights?.[row] ?? 1) : 0));
  const weight = weights.reduce((sum, each) => sum + each, 0);
  if (weight === 0) throw new Error("crossEntropy: expected at least one label, got only ignored ones");
  const mask = weights.map((each) => each / weight);
  const positions = Int32Array.from(flat, (label, row) => row * vocab + Math.max(0, label));
  const apply = tf.customGrad((x, save) => {
    const scores = x as tf.Tensor2D;
    const normalizer = tf.logSumExp(scores, 1, true) as tf.Tensor2D; // [N, 1]
    (save as tf.GradSaveFunc)([scores, normalizer]);
    const picked = tf.gather(tf.reshape(scores, [rows * vocab]), tf.tensor1d(positions, "int32"));
    const losses = tf.sub(tf.reshape(normalizer, [rows]), picked);
    return {
      value: tf.sum(tf.mul(losses, tf.tensor1d(mask))),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [kept, total] = saved as [tf.Tensor2D, tf.Tensor2D];
        const shares = tf.mul(tf.tensor1d(mask), dy) as tf.Tensor1D;
        const softmax = tf.mul(tf.exp(tf.sub(kept, total)), tf.reshape(shares, [rows, 1]));
        const labelled = tf.scatterND(tf.tensor2d(positions, [rows, 1], "int32"), shares, [rows * vocab]);
        return tf.sub(softmax, tf.reshape(labelled, [rows, vocab]));
      },
    };
  });
  return tf.tidy(() => apply(logits) as tf.Scalar);
}
