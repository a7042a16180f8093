/** Attention with normed and rotated heads, and its gradient (kernels/attention/normed-attention.ts). */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";
import type { RotaryTables } from "./rotary-tables.ts";

type Operands = Record<"q" | "k" | "v" | "qWeight" | "kWeight", tf.TensorInfo>;
type Attributes = Record<"batch" | "epsilon" | "theta", number>;

export function registerNormedAttention({ kernels, offset, scratch, register }: KernelContext, tableFor: RotaryTables): void {
  const pointersOf = ({ q, k, v, qWeight, kWeight }: Operands) =>
    [offset(q), offset(k), offset(v), offset(qWeight), offset(kWeight)] as const;

  // -> output [N, H D], and softmax statistics [N, H, 2] for the backward pass
  register("NormedAttention", ({ inputs, attrs, output }) => {
    const operands = inputs as Operands;
    const { batch, epsilon, theta } = attrs as Attributes;
    const { sizes, scale } = sizesOf(operands, batch);
    const [length, heads, , width] = sizes;
    const table = tableFor(width, theta, length);
    const [out, statistics] = [output(operands.q.shape), output([operands.q.shape[0]!, heads, 2])];
    const work = scratch(kernels.normedAttentionBytes(...sizes));
    kernels.normedAttention(...pointersOf(operands), table, offset(out), offset(statistics), batch, ...sizes, epsilon, scale, work);
    return [out, statistics];
  });

  // Replaces q, k and v by their gradients -> the gradients of the norm weights
  register("NormedAttentionGradInPlace", ({ inputs, attrs, output }) => {
    const operands = inputs as Operands & Record<"out" | "statistics" | "dy", tf.TensorInfo>;
    const { qWeight, kWeight, out, statistics, dy } = operands;
    const { batch, epsilon, theta } = attrs as Attributes;
    const { sizes, scale } = sizesOf(operands, batch);
    const [length, , , width] = sizes;
    const table = tableFor(width, theta, length);
    const [dqWeight, dkWeight] = [output(qWeight.shape), output(kWeight.shape)];
    const forward = [...pointersOf(operands), table, offset(out), offset(statistics)] as const;
    const gradients = [offset(dy), offset(dqWeight), offset(dkWeight)] as const;
    const work = scratch(kernels.normedAttentionBackwardBytes(...sizes));
    kernels.normedAttentionBackward(...forward, ...gradients, batch, ...sizes, epsilon, scale, work);
    return [dqWeight, dkWeight];
  });
}

/** The sizes in the order of the kernels' arguments: [T, H, K, D], and the scale of the scores. */
function sizesOf({ q, k, qWeight }: Operands, batch: number) {
  const width = qWeight.shape[0]!;
  const sizes = [q.shape[0]! / batch, q.shape[1]! / width, k.shape[1]! / width, width] as const;
  return { sizes, scale: 1 / Math.sqrt(width) };
}
