/**
 * The differentiable operations of the decoder. Axis letters: B batch, T positions, S cached positions, C width, H heads, K
 * key/value heads, D width per head, V vocabulary, F MLP width, N rows (any leading axes folded).
 *
 * An operation runs as a fused kernel with a fused gradient if the backend has it (registered/), else as its definition in
 * reference.ts. While tfjs records a tape, it keeps the tensors that gradients need. All other tensors are freed when a function
 * returns.
 */
import * as tf from "@tensorflow/tfjs-core";
import * as plain from "./reference.ts";

// The wasm backend's own tf.matMul is replaced by the fused kernel (registered/matmul.ts).
export { linear } from "./reference.ts";

let plainOps = false;

/** With true, no fused kernel runs. Tests and benches use this to compare kernels with their definitions. */
export function usePlainOps(plainly: boolean): void {
  plainOps = plainly;
}

/** True if the fused kernel with this name will run. */
export function isFused(kernelName: string): boolean {
  return !plainOps && tf.getKernel(kernelName, tf.getBackend()) !== undefined;
}

function runKernel(kernelName: string, inputs: Record<string, tf.Tensor>, attrs: Record<string, number | boolean> = {}): tf.Tensor[] {
  const result = tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(kernelName, inputs, attrs);
  return Array.isArray(result) ? result : [result];
}

/**
 * Computes forward(inputs) with a custom gradient. `backward` receives dy and the tensors kept by `forward`, and returns a
 * gradient per input.
 */
function differentiable<T extends tf.Tensor>(
  inputs: tf.Tensor[],
  forward: (keep: (...tensors: tf.Tensor[]) => void) => tf.Tensor,
  backward: (dy: tf.Tensor, kept: tf.Tensor[]) => tf.Tensor[],
): T {
  const apply = tf.customGrad((...given) => {
    const save = given.at(-1) as unknown as tf.GradSaveFunc;
    return { value: forward((...tensors) => save(tensors)), gradFunc: backward };
  });
  return apply(...inputs) as T;
}

/** weight [V, C], ids int32 [N] -> [N, C] */
export function embedding(weight: tf.Tensor2D, ids: tf.Tensor1D): tf.Tensor2D {
  if (weight.rank !== 2 || ids.rank !== 1 || ids.dtype !== "int32") {
    throw new Error(`embedding: expected weight [V, C] and int32 ids [N], got [${weight.shape}] and ${ids.dtype} [${ids.shape}]`);
  }
  if (!isFused("Embedding")) return plain.embedding(weight, ids);
  return differentiable(
    [weight],
    (keep) => {
      keep(ids);
      return runKernel("Embedding", { weight, ids })[0]!;
    },
    (dy, [kept]) => runKernel("EmbeddingGrad", { dy, ids: kept! }, { rows: weight.shape[0] }),
  );
}

/** x [..., C], weight [C] -> x / rms(x) * weight [..., C] (arXiv:1910.07467) */
export function rmsNorm<T extends tf.Tensor>(x: T, weight: tf.Tensor, epsilon: number): T {
  if (weight.rank !== 1 || x.shape.at(-1) !== weight.shape[0]) {
    throw new Error(`rmsNorm: expected x [..., C] and weight [C], got [${x.shape}] and [${weight.shape}]`);
  }
  if (!isFused("RmsNorm")) return plain.rmsNorm(x, weight, epsilon);
  return differentiable(
    [x, weight],
    (keep) => {
      const [out, inverse] = runKernel("RmsNorm", { x, weight }, { epsilon });
      keep(x, weight, inverse!);
      return out!;
    },
    (dy, [keptX, keptWeight, inverse]) => runKernel("RmsNormGrad", { x: keptX!, weight: keptWeight!, inverse: inverse!, dy }),
  );
}

/** x [B, T, H, D] at positions offset.. -> rotated x [B, T, H, D], in halves as in Hugging Face (arXiv:2104.09864) */
export function rotary(x: tf.Tensor4D, theta: number, offset = 0): tf.Tensor4D {
  if (x.rank !== 4 || x.shape[3] % 2 !== 0) throw new Error(`rotary: expected x [B, T, H, D] with an even D, got [${x.shape}]`);
  if (!Number.isInteger(offset) || offset < 0) throw new Error(`rotary: expected an offset of 0 or more positions, got ${offset}`);
  if (!isFused("Rotary")) return plain.rotary(x, theta, offset);
  return differentiable(
    [x],
    () => runKernel("Rotary", { x }, { theta, first: offset, inverse: false })[0]!,
    // The gradient of a rotation is the inverse rotation of dy, so no tensor is kept.
    (dy) => runKernel("Rotary", { x: dy }, { theta, first: offset, inverse: true }),
  );
}

/** q [B, T, H, D], k and v [B, S, K, D] -> [B, T, H, D]. Query t sees keys up to S - T + t. Head h uses key head h K / H. */
export function causalAttention(q: tf.Tensor4D, k: tf.Tensor4D, v: tf.Tensor4D): tf.Tensor4D {
  const [, queries, heads] = q.shape;
  const [, keys, kvHeads] = k.shape;
  if (heads % kvHeads !== 0 || v.shape[1] !== keys) {
    throw new Error(`causalAttention: expected k, v [B, S, K, D] with K dividing ${heads}, got k [${k.shape}], v [${v.shape}]`);
  }
  if (keys < queries) throw new Error(`causalAttention: expected at least as many keys as queries, got ${keys} and ${queries}`);
  if (!isFused("CausalAttention")) return plain.causalAttention(q, k, v);
  return differentiable(
    [q, k, v],
    (keep) => {
      const [out, statistics] = runKernel("CausalAttention", { q, k, v });
      keep(q, k, v, out!, statistics!);
      return out!;
    },
    (dy, [keptQ, keptK, keptV, out, statistics]) =>
      runKernel("CausalAttentionGrad", { q: keptQ!, k: keptK!, v: keptV!, out: out!, statistics: statistics!, dy }),
  );
}

/** gate [N, F], up [N, F] -> silu(gate) * up [N, F] (arXiv:2002.05202) */
export function swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  if (!tf.util.arraysEqual(gate.shape, up.shape)) {
    throw new Error(`swiglu: expected gate and up of equal shape, got [${gate.shape}] and [${up.shape}]`);
  }
  if (!isFused("Swiglu")) return plain.swiglu(gate, up);
  return differentiable(
    [gate, up],
    (keep) => {
      keep(gate, up);
      return runKernel("Swiglu", { gate, up })[0]!;
    },
    (dy, [keptGate, keptUp]) => runKernel("SwigluGrad", { gate: keptGate!, up: keptUp!, dy }),
  );
}

/**
 * logits [N, V], labels int32 [N] -> the mean of -log p(label) in nats, over labels that are not -1. Row weights [N] are
 * optional. Throws if a label is outside -1..V-1, or if all labels are -1.
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, rowWeights?: Float32Array): tf.Scalar {
  if (logits.rank !== 2 || labels.rank !== 1 || labels.dtype !== "int32" || labels.shape[0] !== logits.shape[0]) {
    throw new Error(`crossEntropy: expected logits [N, V] and int32 labels [N], got [${logits.shape}], ${labels.dtype} [${labels.shape}]`);
  }
  if (rowWeights !== undefined || !isFused("CrossEntropy")) return plain.crossEntropy(logits, labels, rowWeights);
  return differentiable(
    [logits],
    (keep) => {
      const [loss, normalizer] = runKernel("CrossEntropy", { logits, labels });
      keep(logits, labels, normalizer!);
      return loss!;
    },
    (dy, [kept, keptLabels, normalizer]) =>
      runKernel("CrossEntropyGrad", { logits: kept!, labels: keptLabels!, normalizer: normalizer!, dy }),
  );
}
