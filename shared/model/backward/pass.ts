/**
 * A pass runs a batch of sequences through a network. A `LossHead` at the end turns the hidden rows into a loss and returns
 * their gradient. Network and head are independent, so a new objective needs only a new head. Axis letters as in tensor/ops.ts;
 * N = B T rows.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import type { HeapBuffer } from "../../tensor/engine/buffer.ts";
import type { NamedArray } from "../formats/safetensors.ts";
import type { Weights } from "../weights.ts";

/** Receives a gradient of the named parameter and becomes its owner. */
export type OnGradient = (name: string, gradient: HeapBuffer) => void;

/** Sequences of equal length, with a label per position. */
export interface Batch {
  /** int32 [N] */
  inputs: Int32Array;
  /** int32 [N]; a row with label -1 has no loss. */
  labels: Int32Array;
  /** float32 [N], the factor on each row's loss; default: all 1. */
  rowWeights?: Float32Array;
  /** float32 [B], the log-probability of each sequence's labels under a reference model, nats. Only some loss heads use it. */
  references?: Float32Array;
  /** Number of sequences, B. */
  sequences: number;
}

/** A forward and a backward pass of a batch. */
export interface Pass {
  batch: Batch;
  lossHead: LossHead;
  /** Factor on all losses. The value 1 / `lossHead.weightOf(whole batch)` gives the mean. */
  scale: number;
  /** True to recompute a block's activations in the backward pass instead of keeping them. */
  recompute: boolean;
}

/** Computes a loss from hidden rows. */
export interface LossHead {
  /** Sequences that share one loss, for example 2 for preference pairs. A pass never splits such a group. */
  group: number;
  /** The divisor that turns a batch's summed losses into a mean. Throws when no row has a loss. */
  weightOf(batch: Batch): number;
  /**
   * Starts a pass; call it within `onHeap`. Writes the labels of the whole batch to wasm memory at the start: each write flushes
   * the command buffer, so later writes would split the recorded calls.
   */
  open(weights: Weights, model: ModelConfig, pass: Pass): OpenHead;
  /** The mean loss of hidden rows [N, C] in plain ops. This definition also runs without kernels. */
  define(weights: Weights, model: ModelConfig, hidden: tf.Tensor2D, batch: Batch): tf.Scalar;
}

/** A loss head during one pass. */
export interface OpenHead {
  /**
   * hidden [n, C] -> its gradient [n, C]. `hidden` starts at row `firstRow` of the batch and is consumed. Adds the rows' losses
   * to the total. With `onGradient` null, computes no gradients and returns null.
   */
  back(hidden: HeapBuffer, firstRow: number, onGradient: OnGradient | null): HeapBuffer | null;
  /** Returns the scaled sum of the losses so far. Runs the recorded kernel calls first. */
  loss(): number;
}

/** The loss of a network other than the decoder. It runs the whole network, in plain numbers. */
export interface NetworkLoss extends Pick<LossHead, "group" | "weightOf"> {
  /** Returns the sum of a batch's losses times `scale`, and its gradients in the order of the weights; none unless wanted. */
  pass(
    weights: Weights,
    network: NetworkConfig,
    batch: Batch,
    scale: number,
    wantsGradients: boolean,
  ): { loss: number; gradients: NamedArray[] };
}

/** What an objective minimizes. */
export type Loss = LossHead | NetworkLoss;

export const isOfNetwork = (loss: Loss): loss is NetworkLoss => "pass" in loss;

/** Returns T, the positions per sequence. Throws when the sequences differ in length. */
export function lengthOf({ inputs, labels, rowWeights, sequences }: Batch): number {
  const sizes = [inputs.length, labels.length, ...(rowWeights === undefined ? [] : [rowWeights.length])];
  if (inputs.length % sequences === 0 && sizes.every((size) => size === inputs.length)) return inputs.length / sequences;
  const what = rowWeights === undefined ? "inputs and labels" : "inputs, labels and row weights";
  throw new Error(`batch: expected ${what} [B*T] with B = ${sequences}, got ${sizes.map((size) => `[${size}]`).join(" and ")}`);
}

/** Returns views of the sequences [first, end) of a batch. */
export function sequencesOfBatch(batch: Batch, first: number, end: number): Batch {
  const length = lengthOf(batch);
  const [from, to] = [first * length, end * length];
  return {
    inputs: batch.inputs.subarray(from, to),
    labels: batch.labels.subarray(from, to),
    ...(batch.rowWeights === undefined ? {} : { rowWeights: batch.rowWeights.subarray(from, to) }),
    ...(batch.references === undefined ? {} : { references: batch.references.subarray(first, end) }),
    sequences: end - first,
  };
}
