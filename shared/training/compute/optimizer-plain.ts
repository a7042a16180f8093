/**
 * The optimizers' updates in plain tfjs ops. They define the result that the kernels must reproduce, and they run on backends
 * without kernels. They return new tensors; the caller still owns the arguments.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { OptimizerConfig } from "../../config.ts";
import { isHiddenMatrix } from "../../model/weights.ts";

/** Factors (a, b, c) of each Newton-Schulz step: x becomes a x + b G x + c G^2 x, with G = x x^T. See tensor/kernels/optimizers.ts. */
const NEWTON_SCHULZ = [
  [3.4445, -4.775, 2.0315],
  [6.8765283, -13.985199, 7.1605646],
  [3.8710215, -2.8898153, 0.55565567],
] as const;
const NORM_EPSILON = 1e-7;

/** A parameter with its gradient and its moments. */
export interface Parameter<Gradient = tf.Tensor> {
  name: string;
  weight: tf.Tensor;
  gradient: Gradient;
  m: tf.Tensor | null;
  v: tf.Tensor | null;
}

/** Returns the new weight, then the new m and v if the optimizer has them. */
export function plainUpdate(config: OptimizerConfig, parameter: Parameter, step: number, lrScale: number): tf.Tensor[] {
  const { name, weight, gradient, m, v } = parameter;
  if (config.name === "nesterov") {
    const momentum = m === null ? gradient : tf.add(tf.mul(m, config.momentum), gradient);
    const moved = tf.sub(weight, tf.mul(tf.add(tf.mul(momentum, config.momentum), gradient), config.lr * lrScale));
    return m === null ? [moved] : [moved, momentum];
  }
  if (m === null) throw new Error(`optimizer: expected a first moment for ${name}, found none`);
  const lr = (config.name === "muon" && !isHiddenMatrix(name) ? config.adamLr : config.lr) * lrScale;
  // Vectors (norm scales) have no weight decay, as is usual.
  const decayed = weight.rank < 2 || config.weightDecay === 0 ? weight : tf.mul(weight, 1 - lr * config.weightDecay);
  if (v === null) {
    if (config.name !== "muon") throw new Error(`optimizer: expected a second moment for ${name}, found none`);
    const momentum = tf.add(tf.mul(m, config.momentum), tf.mul(gradient, 1 - config.momentum));
    const direction = tf.add(tf.mul(momentum, config.momentum), tf.mul(gradient, 1 - config.momentum)) as tf.Tensor2D;
    const scale = Math.sqrt(Math.max(1, weight.shape[0]! / weight.shape[1]!));
    return [tf.sub(decayed, tf.mul(orthogonalize(direction), lr * scale)), momentum];
  }
  const first = tf.add(tf.mul(m, config.beta1), tf.mul(gradient, 1 - config.beta1));
  const second = tf.add(tf.mul(v, config.beta2), tf.mul(tf.square(gradient), 1 - config.beta2));
  const corrected = tf.div(first, 1 - config.beta1 ** step);
  const deviation = tf.add(tf.sqrt(tf.div(second, 1 - config.beta2 ** step)), config.epsilon);
  return [tf.sub(decayed, tf.mul(tf.div(corrected, deviation), lr)), first, second];
}

/** x [m, n] -> approximately the nearest matrix with all singular values 1, by Newton-Schulz iterations on the short side */
export function orthogonalize(x: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const tall = x.shape[0] > x.shape[1];
    let y = (tall ? tf.transpose(x) : x) as tf.Tensor2D;
    y = tf.div(y, tf.add(tf.norm(y), NORM_EPSILON));
    for (const [a, b, c] of NEWTON_SCHULZ) {
      const gram = tf.matMul(y, y, false, true);
      const polynomial = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c)) as tf.Tensor2D;
      y = tf.add(tf.mul(y, a), tf.matMul(polynomial, y));
    }
    return tall ? tf.transpose(y) : y;
  });
}
