/**
 * The cross-entropy head: the last norm, the output matrix and the loss, forward and backward together.
 *
 * The head computes the logits of some rows, replaces them by their gradient, and frees them before the next rows. Memory for
 * logits therefore does not grow with the batch. Each row's loss is multiplied by the row's weight. Rows with label -1 are
 * ignored. Axis letters as in tensor/ops.ts.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { allocated, arrayOf, dispose, numberOf, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { crossEntropy } from "../../tensor/ops.ts";
import { logitsOf } from "../transformer.ts";
import type { Weights } from "../weights.ts";
import type { Batch, LossHead, OnGradient, OpenHead, Pass } from "./pass.ts";

/**
 * Bytes of logits that exist at once. 4 MB is small next to a model. For vocabularies up to 8,192, 4 MB hold at least 128 rows,
 * which is enough for fast products.
 */
export const LOGITS_BYTES = 4 * 1024 * 1024;

/** Rows whose logits exist at once. */
export function logitsRows(vocabSize: number): number {
  return Math.max(64, Math.floor(LOGITS_BYTES / (4 * vocabSize)));
}

export const headName = (config: ModelConfig) => (config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");

export const crossEntropyHead: LossHead = { group: 1, weightOf, open, define };

/** The sum of the row weights over all rows whose label is not -1. */
function weightOf({ labels, rowWeights }: Batch): number {
  const weight = labels.reduce((sum, label, row) => sum + (label === -1 ? 0 : (rowWeights?.[row] ?? 1)), 0);
  if (weight > 0) return weight;
  throw new Error(
    labels.every((label) => label === -1)
      ? "crossEntropy: expected at least one label, got only ignored ones"
      : `crossEntropy: expected row weights with a sum above 0, got ${weight}`,
  );
}

function define(weights: Weights, model: ModelConfig, hidden: tf.Tensor2D, { labels, rowWeights }: Batch): tf.Scalar {
  return crossEntropy(logitsOf(weights, model, hidden), tf.tensor1d(labels, "int32"), rowWeights);
}

function open(weights: Weights, model: ModelConfig, { batch, scale }: Pass): OpenHead {
  const total = arrayOf(new Float32Array(1));
  const labels = arrayOf(batch.labels);
  const rowWeights = batch.rowWeights === undefined ? null : arrayOf(batch.rowWeights);
  const norm = weights["model.norm.weight"]!;
  const head = weights[headName(model)]!;

  /** x [n, C] -> dx [n, C], written to `into` if given. All n rows of logits exist at once. The caller keeps x. */
  function rowsBack(x: HeapBuffer, firstRow: number, onGradient: OnGradient | null, into?: HeapBuffer): HeapBuffer | null {
    const rows = x.shape[0]!;
    const targets = [labels, rowWeights].map((array) => array?.rows(firstRow, rows));
    const { normed, inverse } = op.norm(x, norm, model.normEpsilon);
    const logits = op.linear(normed, head); // [n, V]
    op.lossBack(logits, { labels: targets[0]!, rowWeights: targets[1] }, total, scale);
    for (const view of targets) view?.dispose();
    if (onGradient === null) {
      dispose(normed, inverse, logits);
      return null;
    }
    onGradient(headName(model), op.linearWeightGrad(logits, normed));
    normed.dispose();
    const dx = op.linearInputGrad(logits, head, into); // [n, C]
    logits.dispose();
    onGradient("model.norm.weight", op.normBack(x, norm, inverse, dx));
    return dx;
  }

  return {
    back(hidden, firstRow, onGradient) {
      const rows = hidden.shape[0]!;
      const some = logitsRows(model.vocabSize);
      if (rows <= some) {
        const dx = rowsBack(hidden, firstRow, onGradient);
        hidden.dispose();
        return dx;
      }
      const dx = onGradient === null ? null : allocated(hidden.shape);
      for (let first = 0; first < rows; first += some) {
        const [part, into] = [hidden, dx].map((array) => array?.rows(first, Math.min(some, rows - first)));
        rowsBack(part!, firstRow + first, onGradient, into);
        for (const view of [part, into]) view?.dispose();
      }
      hidden.dispose();
      return dx;
    },
    loss: () => numberOf(total),
  };
}
