/**
 * The loss of a classifier for the training system: cross-entropy of the labels, forward and backward (network.ts). It reads
 * weights from tensors in place and returns gradients as arrays.
 */
import { asDense } from "../../network-kind.ts";
import { valuesInPlace } from "../../tensor/engine/values.ts";
import type { Batch, NetworkLoss } from "../backward/pass.ts";
import { addGradients, zeroLayers } from "./network.ts";
import { denseLayers, denseShape, denseShapes } from "./weights.ts";

/** The value of `inputs` behind the last feature of an example. */
export const NO_FEATURE = -1;

/** The active features of an example. `inputs` [B*T] holds T numbers per example. */
function activeOf({ inputs, sequences }: Batch, example: number): Int32Array {
  const length = inputs.length / sequences;
  const row = inputs.subarray(example * length, (example + 1) * length);
  const end = row.indexOf(NO_FEATURE);
  return end < 0 ? row : row.subarray(0, end);
}

export const denseLoss: NetworkLoss = {
  group: 1,
  weightOf: ({ sequences }) => sequences,
  pass(weights, network, batch, scale, wantsGradients) {
    const config = asDense(network);
    const shape = denseShape(config);
    // These views are valid, because nothing allocates wasm memory before the end of the loop.
    const layers = denseLayers(config, (name) => valuesInPlace(weights[name]!));
    const gradients = wantsGradients ? zeroLayers(shape) : null;
    let loss = 0;
    for (let example = 0; example < batch.sequences; example++)
      loss += scale * addGradients(shape, layers, { active: activeOf(batch, example), label: batch.labels[example]! }, scale, gradients);
    const arrays = (gradients ?? []).flatMap(({ weight, bias }) => [weight, bias] as Float32Array[]);
    return { loss, gradients: denseShapes(config).map(([name, size], index) => ({ name, shape: size, data: arrays[index]! })) };
  },
};
