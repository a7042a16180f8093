/**
 * A dense network over sparse features: any number of hidden layers with sigmoid or ReLU, then a softmax over the labels.
 * Forward and backward in plain numbers, example by example, so it runs in a trainer, in the generator and in a browser alike.
 *
 * An example is the list of its active features. An active feature has the value 1, every other feature the value 0. The first
 * layer adds only the columns of active features, and this makes plain numbers fast enough.
 */
import { exp, log } from "./exponential.ts";

/** The sizes of a network, and the function of its hidden units. */
export interface DenseShape {
  features: number;
  hidden: readonly number[];
  labels: number;
  activation: "sigmoid" | "relu";
}

/** Weights of one layer: `weight` [out, in] by rows, `bias` [out]. The arrays of gradients have the same form. */
export interface DenseLayer {
  weight: Float32Array | Float64Array;
  bias: Float32Array | Float64Array;
}

/** The numbers of units from the features to the labels. */
export const sizesOf = ({ features, hidden, labels }: DenseShape): number[] => [features, ...hidden, labels];

/** Layers of zeros. Makes the arrays of gradients. */
export function zeroLayers(shape: DenseShape, Numbers: Float32ArrayConstructor | Float64ArrayConstructor = Float32Array): DenseLayer[] {
  const sizes = sizesOf(shape);
  return sizes.slice(1).map((outputs, index) => ({ weight: new Numbers(outputs * sizes[index]!), bias: new Numbers(outputs) }));
}

/** What the layers give for one example: the values of the units of each hidden layer, then the logits of the labels. */
export function layerOutputs(shape: DenseShape, layers: readonly DenseLayer[], active: ArrayLike<number>): Float64Array[] {
  const outputs: Float64Array[] = [];
  for (const [index, { weight, bias }] of layers.entries()) {
    const y = Float64Array.from(bias);
    if (index === 0) addColumns(y, weight, active, shape.features);
    else addProduct(y, weight, outputs[index - 1]!);
    if (index < layers.length - 1) for (let unit = 0; unit < y.length; unit++) y[unit] = activate(shape.activation, y[unit]!);
    outputs.push(y);
  }
  return outputs;
}

/** The probabilities of the labels from their logits, and the logarithm of the sum of powers. */
export function softmax(logits: Float64Array): { probabilities: Float64Array; logSum: number } {
  const most = logits.reduce((max, logit) => Math.max(max, logit), -Infinity);
  const probabilities = logits.map((logit) => exp(logit - most));
  const sum = probabilities.reduce((total, value) => total + value, 0);
  return { probabilities: probabilities.map((value) => value / sum), logSum: most + log(sum) };
}

/**
 * Adds the gradient of one example's loss, times `scale`, to `gradients`. Returns the loss, -log p(label), without `scale`. With
 * `gradients` null, only the loss is computed.
 */
export function addGradients(
  shape: DenseShape,
  layers: readonly DenseLayer[],
  { active, label }: { active: ArrayLike<number>; label: number },
  scale: number,
  gradients: readonly DenseLayer[] | null,
): number {
  const outputs = layerOutputs(shape, layers, active);
  const logits = outputs.at(-1)!;
  const { probabilities, logSum } = softmax(logits);
  const loss = logSum - logits[label]!;
  if (gradients === null) return loss;
  let dy: Float64Array = probabilities.map((probability, index) => scale * (probability - (index === label ? 1 : 0)));
  for (let index = layers.length - 1; index >= 0; index--) {
    const { weight, bias } = gradients[index]!;
    for (let unit = 0; unit < dy.length; unit++) bias[unit]! += dy[unit]!;
    if (index === 0) {
      addToColumns(weight, dy, active, shape.features);
      continue;
    }
    const x = outputs[index - 1]!;
    addOuter(weight, dy, x);
    const dx = backThrough(layers[index]!.weight, dy, x.length);
    for (let unit = 0; unit < dx.length; unit++) dx[unit]! *= slope(shape.activation, x[unit]!);
    dy = dx;
  }
  return loss;
}

const activate = (activation: DenseShape["activation"], value: number): number =>
  activation === "relu" ? Math.max(0, value) : 1 / (1 + exp(-value));

/** The derivative of the activation, from its value. */
const slope = (activation: DenseShape["activation"], value: number): number =>
  activation === "relu" ? (value > 0 ? 1 : 0) : value * (1 - value);

/** y [out] += weight [out, in] x, where x is 1 at the active features and 0 elsewhere */
function addColumns(y: Float64Array, weight: DenseLayer["weight"], active: ArrayLike<number>, width: number): void {
  for (let unit = 0; unit < y.length; unit++) {
    let sum = 0;
    for (let index = 0; index < active.length; index++) sum += weight[unit * width + active[index]!]!;
    y[unit]! += sum;
  }
}

function addToColumns(gradient: DenseLayer["weight"], dy: Float64Array, active: ArrayLike<number>, width: number): void {
  for (let unit = 0; unit < dy.length; unit++) {
    const step = dy[unit]!;
    if (step !== 0) for (let index = 0; index < active.length; index++) gradient[unit * width + active[index]!]! += step;
  }
}

/** y [out] += weight [out, in] x [in] */
function addProduct(y: Float64Array, weight: DenseLayer["weight"], x: Float64Array): void {
  for (let unit = 0; unit < y.length; unit++) {
    let sum = 0;
    for (let index = 0; index < x.length; index++) sum += weight[unit * x.length + index]! * x[index]!;
    y[unit]! += sum;
  }
}

/** gradient [out, in] += dy [out] x [in] */
function addOuter(gradient: DenseLayer["weight"], dy: Float64Array, x: Float64Array): void {
  for (let unit = 0; unit < dy.length; unit++) {
    const step = dy[unit]!;
    if (step !== 0) for (let index = 0; index < x.length; index++) gradient[unit * x.length + index]! += step * x[index]!;
  }
}

/** weight [out, in], dy [out] -> dx [in] */
function backThrough(weight: DenseLayer["weight"], dy: Float64Array, width: number): Float64Array {
  const dx = new Float64Array(width);
  for (let unit = 0; unit < dy.length; unit++) {
    const step = dy[unit]!;
    if (step !== 0) for (let index = 0; index < width; index++) dx[index]! += step * weight[unit * width + index]!;
  }
  return dx;
}
