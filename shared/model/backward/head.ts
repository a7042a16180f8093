/**
 * The last norm, the head and the loss, forward and backward in one pass: logits of a few rows at a time become their own
 * gradient and are gone, so that a large vocabulary costs no memory per position. Axis letters as in tensor/ops.ts.
 */
import type { ModelConfig } from "../../config.ts";
import { allocated, dispose, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import type { OnGradient } from "./block.ts";
import type { Weights } from "../weights.ts";

/** Bytes of logits at a time: small beside a model, and rows enough for fast products with any vocabulary up to 8,192. */
export const LOGITS_BYTES = 4 * 1024 * 1024;

/** Rows of logits at a time. */
export function logitsRows(vocabSize: number): number {
  return Math.max(64, Math.floor(LOGITS_BYTES / (4 * vocabSize)));
}

export const headName = (config: ModelConfig) => (config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");

/**
 * x [N, C], labels int32 [N] -> the gradient of x [N, C], or null when no gradients are wanted (`add` is null). x is gone.
 * `weight` times the losses of labels that are not -1 is added to total [1].
 */
export function headBack(
  weights: Weights,
  config: ModelConfig,
  x: HeapBuffer,
  labels: HeapBuffer,
  total: HeapBuffer,
  weight: number,
  add: OnGradient | null,
): HeapBuffer | null {
  const rows = x.shape[0]!;
  const some = logitsRows(config.vocabSize);
  if (rows <= some) {
    const dx = rowsBack(weights, config, x, labels, total, weight, add);
    x.dispose();
    return dx;
  }
  const dx = add === null ? null : allocated(x.shape);
  for (let first = 0; first < rows; first += some) {
    const [part, partLabels, into] = [x, labels, dx].map((array) => array?.rows(first, Math.min(some, rows - first)));
    rowsBack(weights, config, part!, partLabels!, total, weight, add, into);
    for (const view of [part, partLabels, into]) view?.dispose();
  }
  x.dispose();
  return dx;
}

/** The same for rows whose logits are all there at once, the gradient in `into` where it is given; x stays. */
function rowsBack(
  ...[weights, config, x, labels, total, weight, add, into]: [...Parameters<typeof headBack>, into?: HeapBuffer]
): HeapBuffer | null {
  const scale = weights["model.norm.weight"]!;
  const head = weights[headName(config)]!;
  const { normed, inverse } = op.norm(x, scale, config.normEpsilon);
  const logits = op.linear(normed, head); // [N, V]
  op.lossBack(logits, labels, total, weight);
  if (add === null) {
    dispose(normed, inverse, logits);
    return null;
  }
  add(headName(config), op.linearWeightGrad(logits, normed));
  normed.dispose();
  const dx = op.linearInputGrad(logits, head, into); // [N, C]
  logits.dispose();
  add("model.norm.weight", op.normBack(x, scale, inverse, dx));
  return dx;
}
