/** The pretraining objective: next-token cross-entropy, its gradients, and its sum for evaluation. */
import * as tf from "@tensorflow/tfjs-core";
import type { ModelConfig } from "../config.ts";
import { crossEntropy } from "../tensor/ops.ts";
import { forward } from "./transformer.ts";
import type { Weights } from "./weights.ts";

/** Mean loss in nats per target and its gradients by name. inputs, labels [B*T]; label -1 is ignored. The caller disposes the gradients. */
export function lossAndGradients(
  weights: Weights,
  config: ModelConfig,
  inputs: Int32Array,
  labels: Int32Array,
  batch: number,
): { loss: number; gradients: Weights } {
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
  const targets = labels.reduce((count, label) => count + (label >= 0 ? 1 : 0), 0);
  const mean = tf.tidy(
    () => crossEntropy(forward(weights, config, tf.tensor1d(inputs, "int32"), batch), tf.tensor1d(labels, "int32")).dataSync()[0]!,
  );
  return { lossSum: mean * targets, targets };
}
