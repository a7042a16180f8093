/**
 * Optimizers as pure pairs `init(weights)` / `update(gradients, state, weights, lrScale)`: AdamW (arXiv:1711.05101),
 * Muon for hidden matrices with Adam for the rest (kellerjordan.github.io/posts/muon), Nesterov SGD.
 *
 * State is named tensors like weights, so it is stored like weights: `<parameter>/m`, `<parameter>/v`, and `step`.
 * `update` returns new tensors; its arguments stay with the caller.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { OptimizerConfig, ScheduleConfig } from "../config.ts";
import { isHiddenMatrix, type Weights } from "./weights.ts";

export interface Optimizer {
  init(weights: Weights): Weights;
  update(gradients: Weights, state: Weights, weights: Weights, lrScale: number): { weights: Weights; state: Weights };
}

/** Coefficients of the quintic Newton-Schulz iteration, tuned for speed of convergence, not exactness. */
const NEWTON_SCHULZ = [3.4445, -4.775, 2.0315] as const;
const NEWTON_SCHULZ_STEPS = 5;
const NORM_EPSILON = 1e-7;

/** Tensors that one parameter needs beside itself. */
function slotsOf(config: OptimizerConfig, name: string): readonly string[] {
  return config.name === "adamw" || (config.name === "muon" && !isHiddenMatrix(name)) ? ["m", "v"] : ["m"];
}

export function createOptimizer(config: OptimizerConfig): Optimizer {
  return {
    init(weights) {
      const state: Weights = { step: tf.scalar(0) };
      for (const [name, weight] of Object.entries(weights)) {
        for (const slot of slotsOf(config, name)) state[`${name}/${slot}`] = tf.zeros(weight.shape);
      }
      return state;
    },
    update(gradients, state, weights, lrScale) {
      const step = state["step"]!.dataSync()[0]! + 1;
      const next: { weights: Weights; state: Weights } = { weights: {}, state: { step: tf.scalar(step) } };
      for (const [name, weight] of Object.entries(weights)) {
        const gradient = gradients[name];
        const first = state[`${name}/m`];
        if (gradient === undefined || first === undefined)
          throw new Error(`optimizer: expected a gradient and a state for ${name}, found none`);
        const second = state[`${name}/v`] ?? null;
        const result = tf.tidy(() => updateOne(config, name, weight, gradient, first, second, step, lrScale));
        next.weights[name] = result[0]!;
        next.state[`${name}/m`] = result[1]!;
        if (second !== null) next.state[`${name}/v`] = result[2]!;
      }
      return next;
    },
  };
}

/** -> [weight, m] or [weight, m, v] */
function updateOne(
  config: OptimizerConfig,
  name: string,
  weight: tf.Tensor,
  gradient: tf.Tensor,
  m: tf.Tensor,
  v: tf.Tensor | null,
  step: number,
  lrScale: number,
): tf.Tensor[] {
  if (config.name === "nesterov") {
    const momentum = tf.add(tf.mul(m, config.momentum), gradient);
    return [tf.sub(weight, tf.mul(tf.add(tf.mul(momentum, config.momentum), gradient), config.lr * lrScale)), momentum];
  }
  const lr = (config.name === "muon" && !isHiddenMatrix(name) ? config.adamLr : config.lr) * lrScale;
  // Vectors (norm scales) are not decayed, as is usual.
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

/** x [m, n] -> near the closest matrix with singular values one, by Newton-Schulz on the short side */
export function orthogonalize(x: tf.Tensor2D): tf.Tensor2D {
  const [a, b, c] = NEWTON_SCHULZ;
  return tf.tidy(() => {
    const tall = x.shape[0] > x.shape[1];
    let y = (tall ? tf.transpose(x) : x) as tf.Tensor2D;
    y = tf.div(y, tf.add(tf.norm(y), NORM_EPSILON));
    for (let step = 0; step < NEWTON_SCHULZ_STEPS; step++) {
      const gram = tf.matMul(y, y, false, true);
      const polynomial = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c)) as tf.Tensor2D;
      y = tf.add(tf.mul(y, a), tf.matMul(polynomial, y));
    }
    return tall ? tf.transpose(y) : y;
  });
}

/** Factor on the learning rate at a step: linear warm-up, constant, linear to zero over the last `decay` share. */
export function learningRateScale(schedule: ScheduleConfig, step: number, totalSteps: number): number {
  const warm = schedule.warmupSteps > 0 ? Math.min(1, (step + 1) / schedule.warmupSteps) : 1;
  const decaySteps = schedule.decay * totalSteps;
  const cool = decaySteps > 0 ? Math.min(1, (totalSteps - step) / decaySteps) : 1;
  return Math.max(0, Math.min(warm, cool));
}

/** Gradients scaled so that their global norm is at most `norm` (0: unchanged), and the norm before. Replaces: disposes the given ones. */
export function clipByGlobalNorm(gradients: Weights, norm: number): { gradients: Weights; norm: number } {
  const total = tf.tidy(() =>
    Math.sqrt(Object.values(gradients).reduce((sum, gradient) => sum + tf.sum(tf.square(gradient)).dataSync()[0]!, 0)),
  );
  if (norm === 0 || total <= norm) return { gradients, norm: total };
  const clipped = Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, norm / total)]));
  tf.dispose(gradients);
  return { gradients: clipped, norm: total };
}
