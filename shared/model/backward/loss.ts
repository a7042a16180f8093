/**
 * The pretraining objective: next-token cross-entropy, its gradients, and its sum for evaluation. Where the kernels are
 * registered the gradients are worked out by hand (gradients.ts); tfjs's tape over transformer.ts is the definition, which
 * tests and benches compare with and which runs on any backend.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../../config.ts";
import { tensorOf } from "../../tensor/engine/buffer.ts";
import { addTo } from "../../tensor/in-place.ts";
import { crossEntropy, isFused } from "../../tensor/ops.ts";
import type { OnGradient } from "./block.ts";
import { lengthOf, passGradients } from "./gradients.ts";
import { forward } from "../transformer.ts";
import type { Weights } from "../weights.ts";

/** Labels that count. Throws when there is none. */
export function liveLabels(labels: Int32Array): number {
  const live = labels.reduce((count, label) => count + (label === -1 ? 0 : 1), 0);
  if (live === 0) throw new Error("crossEntropy: expected at least one label, got only ignored ones");
  return live;
}

/** How a batch goes through the model; see plan.ts. */
export interface Passes {
  /** Sequences of one forward and backward pass; the gradients of further passes are added in place. */
  sequences: number;
  /** Whether the activations of a block are computed again instead of being kept. */
  recompute: boolean;
}

/** Mean loss in nats per target and its gradients by name. inputs, labels [B*T]; label -1 is ignored. The caller disposes the gradients. */
export function lossAndGradients(
  weights: Weights,
  config: ModelConfig,
  inputs: Int32Array,
  labels: Int32Array,
  batch: number,
  passes: Passes = { sequences: batch, recompute: false },
): { loss: number; gradients: Weights } {
  if (!isFused("AddInPlace")) return tapeGradients(weights, config, inputs, labels, batch);
  const sums: Weights = {};
  let loss: number;
  try {
    loss = eachPass(weights, config, inputs, labels, batch, passes, (name, gradient) => {
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
 * Mean loss in nats per target. `take` gets each parameter's gradients, one per pass, which add up to the gradient of the
 * mean, and owns each until its pass ends.
 */
export function eachPass(
  weights: Weights,
  config: ModelConfig,
  inputs: Int32Array,
  labels: Int32Array,
  batch: number,
  { sequences, recompute }: Passes,
  take: OnGradient,
): number {
  const weight = 1 / liveLabels(labels);
  const length = lengthOf(inputs, labels, batch);
  let loss = 0;
  for (let first = 0; first < batch; first += sequences) {
    const count = Math.min(sequences, batch - first);
    const [from, end] = [first * length, (first + count) * length];
    const pass = { inputs: inputs.subarray(from, end), labels: labels.subarray(from, end), batch: count, weight, recompute };
    loss += passGradients(weights, config, pass, take);
  }
  return loss;
}

function tapeGradients(...[weights, config, inputs, labels, batch]: Parameters<typeof lossAndGradients>): {
  loss: number;
  gradients: Weights;
} {
  const names = Object.keys(weights);
  const tensors = names.map((name) => weights[name]!);
  const ids = tf.tensor1d(inputs, "int32");
  const targets = tf.tensor1d(labels, "int32");
  const { value, grads } = tf.valueAndGrads((...parameters: tf.Tensor[]) => {
    const named = Object.fromEntries(names.map((name, index) => [name, parameters[index]!]));
    return crossEntropy(forward(named, config, ids, batch), targets);
  })(tensors);
  const loss = value.dataSync()[0]!;
  tf.dispose([ids, targets, value]);
  return { loss, gradients: Object.fromEntries(names.map((name, index) => [name, grads[index]!])) };
}

/** Sum of losses in nats over the targets that are not -1, and how many they are. */
export function lossSum(
  weights: Weights,
  config: ModelConfig,
  inputs: Int32Array,
  labels: Int32Array,
  batch: number,
): { lossSum: number; targets: number } {
  const targets = liveLabels(labels);
  if (isFused("AddInPlace")) {
    const pass = { inputs, labels, batch, weight: 1 / targets, recompute: true };
    return { lossSum: passGradients(weights, config, pass, null) * targets, targets };
  }
  const mean = tf.tidy(
    () => crossEntropy(forward(weights, config, tf.tensor1d(inputs, "int32"), batch), tf.tensor1d(labels, "int32")).dataSync()[0]!,
  );
  return { lossSum: mean * targets, targets };
}
