/**
 * The differentiable operations of the decoder. Axis letters: B batch, T positions, S cached positions, C width,
 * H heads, K key/value heads, D width per head, V vocabulary, F MLP width, N rows (any leading axes folded).
 *
 * Written in tfjs ops over the wasm backend and its replaced matMul; each may become one fused kernel behind the same
 * signature. Every function leaves only its result behind (`tf.tidy`).
 */
import * as tf from "@tensorflow/tfjs-core";
import * as plain from "./reference.ts";

// Not fused yet: the definition serves. A fused kernel replaces its name here.
export { embedding, linear, rmsNorm, rotary, swiglu } from "./reference.ts";

/** q [B, T, H, D], k and v [B, S, K, D] -> [B, T, H, D]; query t sees keys up to S - T + t, head h uses key head h K / H */
export function causalAttention(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  const [, queries, heads] = q.shape;
  const [, keys, kvHeads] = k.shape;
  if (heads % kvHeads !== 0 || v.shape[1] !== keys) {
    throw new Error(`causalAttention: expected k, v [B, S, K, D] with K dividing ${heads}, got k [${k.shape}], v [${v.shape}]`);
  }
  if (keys < queries) throw new Error(`causalAttention: expected at least as many keys as queries, got ${keys} and ${queries}`);
  if (tf.getKernel("CausalAttention", tf.getBackend()) === undefined) return plain.causalAttention(q, k, v);
  const apply = tf.customGrad((...inputs) => {
    const [qs, ks, vs, save] = inputs as unknown as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.GradSaveFunc];
    const out = tf.engine().runKernel("CausalAttention", { q: qs, k: ks, v: vs }) as tf.Tensor4D;
    save([qs, ks, vs, out]);
    return {
      value: out,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [keptQ, keptK, keptV, kept] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        return tf.engine().runKernel("CausalAttentionGrad", { q: keptQ, k: keptK, v: keptV, out: kept, dy }) as tf.Tensor[];
      },
    };
  });
  return apply(q, k, v) as tf.Tensor4D;
}

/**
 * logits [N, V], labels int32 [N] -> scalar, the mean of -log p(label) in nats over labels that are not -1.
 * Labels stay integers: the gradient is softmax minus a scatter of ones.
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D): tf.Scalar {
  const [rows, vocab] = logits.shape;
  const flat = labels.dataSync() as Int32Array;
  const live = flat.reduce((count, label) => count + (label >= 0 ? 1 : 0), 0);
  if (live === 0) throw new Error("crossEntropy: expected at least one label, got only ignored ones");
  const mask = Float32Array.from(flat, (label) => (label >= 0 ? 1 / live : 0));
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
        const weights = tf.mul(tf.tensor1d(mask), dy) as tf.Tensor1D;
        const softmax = tf.mul(tf.exp(tf.sub(kept, total)), tf.reshape(weights, [rows, 1]));
        const labelled = tf.scatterND(tf.tensor2d(positions, [rows, 1], "int32"), weights, [rows * vocab]);
        return tf.sub(softmax, tf.reshape(labelled, [rows, vocab]));
      },
    };
  });
  return tf.tidy(() => apply(logits) as tf.Scalar);
}
