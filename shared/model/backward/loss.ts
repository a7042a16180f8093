/**
 * The loss of a batch, its gradients, and its sum for evaluation, for any loss head. Where the kernels are registered the
 * gradients are worked out by hand (gradients.ts); tfjs's tape over transformer.ts is the definition, which tests and benches
 * compare with and which runs on any backend.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { tensorOf } from "../../tensor/engine/buffer.ts";
import { addTo } from "../../tensor/in-place.ts";
import { isFused } from "../../tensor/ops.ts";
import { hiddenRows } from "../transformer.ts";
import type { Weights } from "../weights.ts";
import { passGradients } from "./gradients.ts";
import { sequencesOfBatch, type Batch, type LossHead, type OnGradient } from "./pass.ts";

/** How a batch is divided into passes; see plan.ts. */
export interface Passes {
  /** Sequences of one pass; the gradients of further passes are added in place. */
  sequences: number;
  /** Whether the activations of a block are computed again instead of being kept. */
  recompute: boolean;
}

/** Mean loss of a batch and its gradients by name. The caller disposes the gradients. */
export function lossAndGradients(
  weights: Weights,
  model: ModelConfig,
  batch: Batch,
  lossHead: LossHead,
  passes: Passes = { sequences: batch.sequences, recompute: false },
): { loss: number; gradients: Weights } {
  if (!isFused("AddInPlace")) return tapeGradients(weights, model, batch, lossHead);
  const sums: Weights = {};
  let loss: number;
  try {
    loss = eachPass(weights, model, batch, { lossHead, ...passes }, (name, gradient) => {
      const sum = sums[name];
      if (sum === undefined) sums[name] = tf.keep(tensorOf(gradient));
      else addTo(sum, gradient);
    });
  } catch (error) {
    tf.dispose(sums);
    throw error;
  }
  // In the order of the weights, which decides the order of sums over them.
  return { loss, gradients: Object.fromEntries(Object.keys(weights).map((name) => [name, sums[name]!])) };
}

/**
 * Mean loss of a batch. `onGradient` gets each parameter's gradients, one per pass, which add up to the gradient of the mean,
 * and owns each until its pass ends.
 */
export function eachPass(
  weights: Weights,
  model: ModelConfig,
  batch: Batch,
  { lossHead, sequences, recompute }: Passes & { lossHead: LossHead },
  onGradient: OnGradient,
): number {
  const scale = 1 / lossHead.weightOf(batch);
  let loss = 0;
  for (let first = 0; first < batch.sequences; first += sequences) {
    const part = sequencesOfBatch(batch, first, Math.min(first + sequences, batch.sequences));
    loss += passGradients(weights, model, { batch: part, lossHead, scale, recompute }, onGradient);
  }
  return loss;
}

function tapeGradients(weights: Weights, model: ModelConfig, batch: Batch, lossHead: LossHead): { loss: number; gradients: Weights } {
  const names = Object.keys(weights);
  const tensors = names.map((name) => weights[name]!);
  const ids = tf.tensor1d(batch.inputs, "int32");
  const { value, grads } = tf.valueAndGrads((...parameters: tf.Tensor[]) => {
    const named = Object.fromEntries(names.map((name, index) => [name, parameters[index]!]));
    return lossHead.define(named, model, hiddenRows(named, model, ids, batch.sequences), batch);
  })(tensors);
  const loss = value.dataSync()[0]!;
  tf.dispose([ids, value]);
  return { loss, gradients: Object.fromEntries(names.map((name, index) => [name, grads[index]!])) };
}

/** Sum of a batch's weighted losses, and of their weights: sums over batches add up to the mean over all. */
export function lossSum(weights: Weights, model: ModelConfig, batch: Batch, lossHead: LossHead): { lossSum: number; targets: number } {
  const targets = lossHead.weightOf(batch);
  if (isFused("AddInPlace")) {
    const pass = { batch, lossHead, scale: 1 / targets, recompute: true };
    return { lossSum: passGradients(weights, model, pass, null) * targets, targets };
  }
  const mean = tf.tidy(() => {
    const hidden = hiddenRows(weights, model, tf.tensor1d(batch.inputs, "int32"), batch.sequences);
    return lossHead.define(weights, model, hidden, batch).dataSync()[0]!;
  });
  return { lossSum: mean * targets, targets };
}
