/**
 * Cross-entropy over the vocabulary: the last norm, the output matrix and the loss, forward and backward together. Logits of
 * a few rows at a time become their own gradient and are freed, so a large vocabulary costs no memory per position.
 * A row counts as much as its weight; a row of label -1 counts nothing. Axis letters as in tensor/ops.ts.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { allocated, arrayOf, dispose, numberOf, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import * as op from "../../tensor/in-place.ts";
import { crossEntropy } from "../../tensor/ops.ts";
import { logitsOf } from "../transformer.ts";
import type { Weights } from "../weights.ts";
import type { Batch, LossHead, OnGradient, OpenHead, Pass } from "./pass.ts";

/** Bytes of logits at a time: small beside a model, and rows enough for fast products with any vocabulary up to 8,192. */
export const LOGITS_BYTES = 4 * 1024 * 1024;

/** Rows of logits at a time. */
export function logitsRows(vocabSize: number): number {
  return Math.max(64, Math.floor(LOGITS_BYTES / (4 * vocabSize)));
}

export const headName = (config: ModelConfig) => (config.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");

export const crossEntropyHead: LossHead = { group: 1, weightOf, open, define };

/** Labels that are not -1, each as much as its row's weight. */
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

  /** x [n, C], whose logits are all there at once, stays -> its gradient, in `into` where it is given */
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
