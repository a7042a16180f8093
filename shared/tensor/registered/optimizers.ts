/**
 * In-place updates of parameters (kernels/optimizers.ts). These kernels have no outputs. They overwrite the weight and the
 * optimizer state, and consume the gradient.
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

const size = (info: tf.TensorInfo) => info.shape.reduce((product, axis) => product * axis, 1);

export function registerOptimizers({ kernels, offset, floats, scratch, register }: KernelContext): void {
  register("AdamUpdate", ({ inputs, attrs }) => {
    const { weight, m, v, gradient } = inputs as Record<"weight" | "m" | "v" | "gradient", tf.TensorInfo>;
    const { stepSize, decay, beta1, beta2, biasCorrection2, epsilon } = attrs as Record<
      "stepSize" | "decay" | "beta1" | "beta2" | "biasCorrection2" | "epsilon",
      number
    >;
    const pointers = [offset(weight), offset(m), offset(v), offset(gradient)] as const;
    kernels.adamUpdate(...pointers, size(weight), stepSize, decay, beta1, beta2, biasCorrection2, epsilon);
    return [];
  });

  register("NesterovUpdate", ({ inputs, attrs }) => {
    const { weight, m, gradient } = inputs as Record<"weight" | "m" | "gradient", tf.TensorInfo>;
    const { stepSize, momentum } = attrs as Record<"stepSize" | "momentum", number>;
    kernels.nesterovUpdate(offset(weight), offset(m), offset(gradient), size(weight), stepSize, momentum);
    return [];
  });

  register("MuonUpdate", ({ inputs, attrs }) => {
    const { weight, m, gradient } = inputs as Record<"weight" | "m" | "gradient", tf.TensorInfo>;
    const { stepSize, decay, momentum } = attrs as Record<"stepSize" | "decay" | "momentum", number>;
    const [rows, columns] = weight.shape as [number, number];
    const work = scratch(kernels.muonBytes(rows, columns));
    kernels.muonUpdate(offset(weight), offset(m), offset(gradient), rows, columns, stepSize, decay, momentum, work);
    return [];
  });

  // x -> [1], the sum of its squares
  register("SumOfSquares", ({ inputs, output }) => {
    const { x } = inputs as Record<"x", tf.TensorInfo>;
    const out = output([1]);
    floats(out)[0] = kernels.sumOfSquares(offset(x), size(x));
    return out;
  });

  register("ScaleInPlace", ({ inputs, attrs }) => {
    const { x } = inputs as Record<"x", tf.TensorInfo>;
    kernels.scaleInPlace(offset(x), size(x), (attrs as { factor: number }).factor);
    return [];
  });
}
