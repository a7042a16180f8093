/**
 * Optimizers as pure pairs `init(weights)` / `update(gradients, state, weights, lrScale)`: AdamW (arXiv:1711.05101), Muon for
 * hidden matrices with Adam for the rest (kellerjordan.github.io/posts/muon), Nesterov SGD.
 *
 * The state is named tensors (`<parameter>/m`, `<parameter>/v`, `step`) and is stored like weights. `update` consumes its
 * arguments, because the kernels (tensor/kernels/optimizers.ts) work in place.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { OptimizerConfig, ScheduleConfig } from "../../config.ts";
import { numberOf, onHeap, run, type HeapBuffer } from "../../tensor/engine/buffer.ts";
import { valuesInPlace } from "../../tensor/engine/values.ts";
import { plainUpdate, type Parameter } from "./optimizer-plain.ts";
import { isHiddenMatrix, type Weights } from "../../model/weights.ts";

export interface Optimizer {
  init(weights: Weights): Weights;
  /** Consumes its arguments: the result replaces weights and state. No other tensor may share memory with a weight. */
  update(gradients: Weights, state: Weights, weights: Weights, lrScale: number): { weights: Weights; state: Weights };
  /**
   * Begins an update parameter by parameter. The returned function consumes the gradient of a parameter and replaces its weight
   * and its state in place. Parameters may come in any order.
   */
  beginStep(weights: Weights, state: Weights, lrScale: number): (name: string, gradient: tf.Tensor | HeapBuffer) => void;
}

/** The moments that an optimizer keeps for a parameter. Nesterov without momentum, which is a plain mean, keeps none. */
export function slotsOf(config: OptimizerConfig, name: string): readonly ("m" | "v")[] {
  if (config.name === "nesterov" && config.momentum === 0) return [];
  return config.name === "adamw" || (config.name === "muon" && !isHiddenMatrix(name)) ? ["m", "v"] : ["m"];
}

const slotNames = new Map<string, Record<"m" | "v", string>>();

/** The name of a parameter's moment in the state. Names are cached, as in `layerName` (model/weights.ts). */
export function slotName(name: string, slot: "m" | "v"): string {
  let names = slotNames.get(name);
  if (names === undefined) {
    names = { m: `${name}/m`, v: `${name}/v` };
    slotNames.set(name, names);
  }
  return names[slot];
}

export function createOptimizer(config: OptimizerConfig): Optimizer {
  return {
    init(weights) {
      const state: Weights = { step: tf.scalar(0) };
      for (const [name, weight] of Object.entries(weights)) {
        for (const slot of slotsOf(config, name)) state[slotName(name, slot)] = tf.fill(weight.shape, 0);
      }
      return state;
    },
    update(gradients, state, weights, lrScale) {
      const next = { weights: { ...weights }, state: { ...state } };
      const onGradient = this.beginStep(next.weights, next.state, lrScale);
      for (const name of Object.keys(weights)) {
        const gradient = gradients[name];
        if (gradient === undefined) throw new Error(`optimizer: expected a gradient for ${name}, found none`);
        onGradient(name, gradient);
      }
      return next;
    },
    beginStep(weights, state, lrScale) {
      const count = valuesInPlace(state["step"]!);
      const step = count[0]! + 1;
      count[0] = step;
      return (name, gradient) => {
        const weight = weights[name];
        const [mName, vName] = [slotName(name, "m"), slotName(name, "v")];
        const [m, v] = [state[mName] ?? null, state[vName] ?? null];
        if (weight === undefined || (m === null && slotsOf(config, name).length > 0))
          throw new Error(`optimizer: expected a weight and a state for ${name}, found none`);
        const updated = updateOne(config, { name, weight, gradient, m, v }, step, lrScale);
        weights[name] = updated[0]!;
        if (m !== null) state[mName] = updated[1]!;
        if (v !== null) state[vName] = updated[2]!;
      };
    },
  };
}

/** Returns the new weight, then m and v if the optimizer has them. Updates in place if the backend has the kernel, else creates tensors. */
function updateOne(config: OptimizerConfig, parameter: Parameter<tf.Tensor | HeapBuffer>, step: number, lrScale: number): tf.Tensor[] {
  const { name, weight, gradient, m, v } = parameter;
  if (gradient instanceof tf.Tensor && tf.getKernel("AdamUpdate", tf.getBackend()) === undefined) {
    const updated = tf.tidy(() => plainUpdate(config, { ...parameter, gradient }, step, lrScale));
    tf.dispose([weight, gradient, m ?? [], v ?? []]);
    return updated;
  }
  if (config.name === "nesterov") {
    // Without momentum there is no m. The kernel then takes the gradient as m: 0 * gradient + gradient leaves the gradient
    // unchanged.
    run("NesterovUpdate", { weight, m: m ?? gradient, gradient }, { stepSize: config.lr * lrScale, momentum: config.momentum });
  } else if (m === null) throw new Error(`optimizer: expected a first moment for ${name}, found none`);
  else {
    const lr = (config.name === "muon" && !isHiddenMatrix(name) ? config.adamLr : config.lr) * lrScale;
    // Vectors (norm scales) have no weight decay, as is usual.
    const decay = weight.rank < 2 ? 1 : 1 - lr * config.weightDecay;
    if (v !== null) {
      const { beta1, beta2, epsilon } = config;
      run(
        "AdamUpdate",
        { weight, m, v, gradient },
        { stepSize: lr / (1 - beta1 ** step), decay, beta1, beta2, biasCorrection2: 1 / (1 - beta2 ** step), epsilon },
      );
    } else {
      if (config.name !== "muon") throw new Error(`optimizer: expected a second moment for ${name}, found none`);
      const scale = Math.sqrt(Math.max(1, weight.shape[0]! / weight.shape[1]!));
      run("MuonUpdate", { weight, m, gradient }, { stepSize: lr * scale, decay, momentum: config.momentum });
    }
  }
  gradient.dispose();
  return [weight, m, v].filter((tensor) => tensor !== null);
}

/** Factor on the learning rate at a step: linear warm-up, then 1, then linear decay to zero during the last `decay` share of the steps. */
export function learningRateScale(schedule: ScheduleConfig, step: number, totalSteps: number): number {
  const warm = schedule.warmupSteps > 0 ? Math.min(1, (step + 1) / schedule.warmupSteps) : 1;
  const decaySteps = schedule.decay * totalSteps;
  const cool = decaySteps > 0 ? Math.min(1, (totalSteps - step) / decaySteps) : 1;
  return Math.max(0, Math.min(warm, cool));
}

/**
 * Scales gradients so that their global norm is at most `norm` (0: no maximum). Returns them and the norm before scaling.
 * Consumes its argument.
 */
export function clipByGlobalNorm(gradients: Weights, norm: number): { gradients: Weights; norm: number } {
  const fused = tf.getKernel("SumOfSquares", tf.getBackend()) !== undefined;
  const squares = (x: tf.Tensor): number =>
    fused ? onHeap(() => numberOf(run<HeapBuffer>("SumOfSquares", { x }))) : tf.tidy(() => tf.sum(tf.square(x)).dataSync()[0]!);
  const total = Math.sqrt(Object.values(gradients).reduce((sum, x) => sum + squares(x), 0));
  if (norm === 0 || total <= norm) return { gradients, norm: total };
  if (fused) {
    for (const x of Object.values(gradients)) run("ScaleInPlace", { x }, { factor: norm / total });
    return { gradients, norm: total };
  }
  const clipped = Object.fromEntries(Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, norm / total)]));
  tf.dispose(gradients);
  return { gradients: clipped, norm: total };
}
