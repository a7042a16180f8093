/** The parameters of a classifier as named weights: their shapes, their first values, and the network that they make. */
import type { DenseConfig } from "../../network-config.ts";
import { sizesOf, type DenseLayer, type DenseShape } from "./network.ts";

/** Small first weights, because an untrained weight is noise when a text has a feature that no lesson had. */
const INPUT_STD = 0.05;

export const denseShape = ({ features, hidden, activation, labels }: DenseConfig): DenseShape => ({
  features,
  hidden,
  activation,
  labels: labels.length,
});

const nameOf = (layer: number, part: "weight" | "bias") => `dense.${layer}.${part}`;

/** Name and shape of every parameter, in a fixed order. Matrices are [out, in]. */
export function denseShapes(config: DenseConfig): [name: string, shape: number[]][] {
  const sizes = sizesOf(denseShape(config));
  return sizes.slice(1).flatMap((outputs, layer): [string, number[]][] => [
    [nameOf(layer, "weight"), [outputs, sizes[layer]!]],
    [nameOf(layer, "bias"), [outputs]],
  ]);
}

/**
 * Standard deviation of a parameter's first values. Biases and the last layer are 0, so at first all labels are equally
 * probable. Hidden layers keep the size of what passes through them (He et al. 2015 for ReLU, Glorot and Bengio 2010).
 */
export function denseStd({ hidden, activation }: DenseConfig, name: string, shape: readonly number[]): number {
  if (shape.length < 2 || name === nameOf(hidden.length, "weight")) return 0;
  return name === nameOf(0, "weight") ? INPUT_STD : Math.sqrt((activation === "relu" ? 2 : 1) / shape[1]!);
}

/** The layers whose values `read` returns by name. */
export function denseLayers({ hidden }: DenseConfig, read: (name: string) => Float32Array): DenseLayer[] {
  return Array.from({ length: hidden.length + 1 }, (_, layer) => ({
    weight: read(nameOf(layer, "weight")),
    bias: read(nameOf(layer, "bias")),
  }));
}
