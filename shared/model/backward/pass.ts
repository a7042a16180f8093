/**
 * A pass takes a batch of sequences through a network. A `LossHead` at the network's end turns the hidden rows into a loss and
 * gives back their gradient. The network knows no loss and the head knows no network: an objective brings a head alone.
 * Axis letters as in tensor/ops.ts, N = B T rows.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import type { HeapBuffer } from "../../tensor/engine/buffer.ts";
import type { Weights } from "../weights.ts";

/** Takes over a gradient of the parameter of that name. */
export type OnGradient = (name: string, gradient: HeapBuffer) => void;

/** Sequences of equal length, with the labels of their hidden rows. */
export interface Batch {
  /** int32 [N] */
  inputs: Int32Array;
  /** int32 [N]; a row of label -1 has no loss. */
  labels: Int32Array;
  /** float32 [N], the factor on each row's loss; left out: all 1. */
  rowWeights?: Float32Array;
  /** Sequences, B. */
  sequences: number;
}

/** One trip of a batch through a network, forward and back. */
export interface Pass {
  batch: Batch;
  lossHead: LossHead;
  /** Factor on all losses: 1 / `lossHead.weightOf` of the whole batch makes a mean. */
  scale: number;
  /** Computes the activations of a block again in the backward pass instead of keeping them. */
  recompute: boolean;
}

/** How the loss of hidden rows is computed. */
export interface LossHead {
  /** Sequences whose loss is one number (2 for pairs): a pass never divides such a group. */
  group: number;
  /** The divisor that turns the summed losses of a batch into their mean. Throws when nothing in the batch has a loss. */
  weightOf(batch: Batch): number;
  /** Begins a pass, within `onHeap`. Labels are written to wasm memory here, since a write flushes the command buffer. */
  open(weights: Weights, model: ModelConfig, pass: Pass): OpenHead;
  /** The mean loss of hidden rows [N, C] in plain ops: the definition, which also runs without kernels. */
  define(weights: Weights, model: ModelConfig, hidden: tf.Tensor2D, batch: Batch): tf.Scalar;
}

/** A loss head at work on one pass. */
export interface OpenHead {
  /**
   * hidden [n, C], the rows from `firstRow` on, is consumed -> its gradient [n, C], or null where `onGradient` is: then no
   * gradients are wanted. The rows' losses are added up.
   */
  back(hidden: HeapBuffer, firstRow: number, onGradient: OnGradient | null): HeapBuffer | null;
  /** The scaled sum of the losses so far; waits for the kernels. */
  loss(): number;
}

/** Positions of each sequence, T. Throws when the sequences are not of one length. */
export function lengthOf({ inputs, labels, rowWeights, sequences }: Batch): number {
  const sizes = [inputs.length, labels.length, ...(rowWeights === undefined ? [] : [rowWeights.length])];
  if (inputs.length % sequences === 0 && sizes.every((size) => size === inputs.length)) return inputs.length / sequences;
  const what = rowWeights === undefined ? "inputs and labels" : "inputs, labels and row weights";
  throw new Error(`batch: expected ${what} [B*T] with B = ${sequences}, got ${sizes.map((size) => `[${size}]`).join(" and ")}`);
}

/** The sequences [first, end) of a batch, the same numbers. */
export function sequencesOfBatch(batch: Batch, first: number, end: number): Batch {
  const length = lengthOf(batch);
  const [from, to] = [first * length, end * length];
  return {
    inputs: batch.inputs.subarray(from, to),
    labels: batch.labels.subarray(from, to),
    ...(batch.rowWeights === undefined ? {} : { rowWeights: batch.rowWeights.subarray(from, to) }),
    sequences: end - first,
  };
}
