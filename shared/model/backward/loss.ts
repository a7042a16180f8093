/**
 * The loss of a batch and its gradients, and the summed loss for evaluation, for any loss head.
 *
 * With the kernels, gradients.ts computes the gradients by hand. Without the kernels, tfjs's tape differentiates transformer.ts.
 * The tape is the definition: it runs on any backend, and tests and benches compare the kernels with it.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { asDecoder } from "../../network-kind.ts";
import { arrayOf, onHeap, tensorOf } from "../../tensor/engine/buffer.ts";
import { addTo } from "../../tensor/in-place.ts";
import { isFused } from "../../tensor/ops.ts";
import { tensorsOf } from "../formats/weights-file.ts";
import { hiddenRows } from "../transformer.ts";
import type { Weights } from "../weights.ts";
import { passGradients } from "./gradients.ts";
import { isOfNetwork, sequencesOfBatch, type Batch, type Loss, type LossHead, type NetworkLoss, type OnGradient } from "./pass.ts";

/** How a batch is divided into passes; see footprint/plan.ts. */
export interface Passes {
  /** Sequences per pass. The gradients of all passes are added in place. */
  sequences: number;
  /** True to recompute a block's activations in the backward pass instead of keeping them. */
  recompute: boolean;
}

/** Returns the mean loss of a batch and its gradients by name. The caller disposes the gradients. */
export function lossAndGradients(
  weights: Weights,
  model: NetworkConfig,
  batch: Batch,
  lossHead: Loss,
  passes: Passes = { sequences: batch.sequences, recompute: false },
): { loss: number; gradients: Weights } {
  if (isOfNetwork(lossHead)) {
    const { loss, gradients } = networkGradients(weights, model, batch, lossHead);
    return { loss, gradients: tensorsOf(gradients) };
  }
  if (!isFused("AddInPlace")) return tapeGradients(weights, asDecoder(model), batch, lossHead);
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
  // In the order of the weights, because this order fixes the order of later sums over all gradients.
  return { loss, gradients: Object.fromEntries(Object.keys(weights).map((name) => [name, sums[name]!])) };
}

/**
 * Returns the mean loss of a batch. `onGradient` receives every parameter's gradient once per pass and owns it until that pass
 * ends. The gradients of all passes add up to the gradient of the mean loss.
 */
export function eachPass(
  weights: Weights,
  model: NetworkConfig,
  batch: Batch,
  { lossHead, sequences, recompute }: Passes & { lossHead: Loss },
  onGradient: OnGradient,
): number {
  if (isOfNetwork(lossHead)) {
    const whole = networkGradients(weights, model, batch, lossHead);
    onHeap(() => {
      for (const { name, shape, data } of whole.gradients) onGradient(name, arrayOf(data).shaped([...shape]));
    });
    return whole.loss;
  }
  const decoder = asDecoder(model);
  const scale = 1 / lossHead.weightOf(batch);
  let loss = 0;
  for (let first = 0; first < batch.sequences; first += sequences) {
    const part = sequencesOfBatch(batch, first, Math.min(first + sequences, batch.sequences));
    loss += passGradients(weights, decoder, { batch: part, lossHead, scale, recompute }, onGradient);
  }
  return loss;
}

/** A network that runs in plain numbers needs little memory for a batch, so it never divides one into passes. */
const networkGradients = (weights: Weights, model: NetworkConfig, batch: Batch, loss: NetworkLoss) =>
  loss.pass(weights, model, batch, 1 / loss.weightOf(batch), true);

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

/**
 * Returns a batch's weighted loss sum and its weight sum. The mean over several batches is the total loss sum divided by the
 * total weight sum.
 */
export function lossSum(weights: Weights, network: NetworkConfig, batch: Batch, lossHead: Loss): { lossSum: number; targets: number } {
  const targets = lossHead.weightOf(batch);
  if (isOfNetwork(lossHead)) return { lossSum: lossHead.pass(weights, network, batch, 1, false).loss, targets };
  const model = asDecoder(network);
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
