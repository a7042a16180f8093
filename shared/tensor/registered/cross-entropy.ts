/**
 * Cross-entropy: forward (returns each row's normalizer), backward, and both in place (kernels/pointwise/cross-entropy.ts).
 * Labels stay in wasm memory.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";
import { NONE } from "../engine/wasm-runtime.ts";

export function registerCrossEntropy({ kernels, offset, integers, register }: KernelContext): void {
  /** Throws for the first label outside the vocabulary, because kernels use labels as addresses. */
  const checkLabels = (labels: tf.TensorInfo, rows: number, vocab: number): void => {
    const bad = kernels.firstOutside(offset(labels), rows, -1, vocab);
    if (bad < 0) return;
    const label = integers(labels)[bad];
    throw new Error(`crossEntropy: expected labels of -1 (ignored) or 0..${vocab - 1}, got ${label} in row ${bad}`);
  };

  register("CrossEntropy", ({ inputs, output }) => {
    const { logits, labels } = inputs as Record<"logits" | "labels", tf.TensorInfo>;
    const [rows, vocab] = logits.shape as [number, number];
    checkLabels(labels, rows, vocab);
    const live = kernels.liveLabels(offset(labels), rows);
    if (live === 0) throw new Error("crossEntropy: expected at least one label, got only ignored ones");
    const loss = output([]);
    const normalizer = output([rows, 2]);
    kernels.crossEntropy(offset(logits), offset(labels), offset(loss), offset(normalizer), rows, vocab, live);
    return [loss, normalizer];
  });
  register("CrossEntropyGrad", ({ inputs, output }) => {
    const { logits, labels, normalizer, dy } = inputs as Record<"logits" | "labels" | "normalizer" | "dy", tf.TensorInfo>;
    const [rows, vocab] = logits.shape as [number, number];
    const live = kernels.liveLabels(offset(labels), rows);
    const dlogits = output(logits.shape);
    kernels.crossEntropyBackward(offset(logits), offset(labels), offset(normalizer), offset(dy), offset(dlogits), rows, vocab, live);
    return dlogits;
  });

  // Replaces logits by scale * row weight (default 1) * (softmax - one-hot). total [1] += scale times the weighted losses.
  register("CrossEntropyInPlace", ({ inputs, attrs }) => {
    const { logits, labels, total } = inputs as Record<"logits" | "labels" | "total", tf.TensorInfo>;
    const { rowWeights } = inputs as { rowWeights?: tf.TensorInfo };
    const [rows, vocab] = logits.shape as [number, number];
    checkLabels(labels, rows, vocab);
    const weights = rowWeights === undefined ? NONE : offset(rowWeights);
    kernels.crossEntropyInPlace(offset(logits), offset(labels), weights, offset(total), rows, vocab, (attrs as { scale: number }).scale);
    return [];
  });
}
