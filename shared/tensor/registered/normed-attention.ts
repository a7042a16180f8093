/** Attention of heads that are normed and turned to their positions, and its gradient; see kernels/normed-attention.ts. */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";
import type { RotaryTables } from "./rotary-tables.ts";

type Operands = Record<"q" | "k" | "v" | "qWeight" | "kWeight", tf.TensorInfo>;
type Attributes = Record<"batch" | "epsilon" | "theta", number>;

export function registerNormedAttention({ kernels, offset, scratch, register }: KernelContext, tableFor: RotaryTables): void {
  const placesOf = ({ q, k, v, qWeight, kWeight }: Operands, table: number, ...more: readonly tf.TensorInfo[]): number[] => [
    ...[q, k, v, qWeight, kWeight].map(offset),
    table,
    ...more.map(offset),
  ];
  // -> [N, H D], and what backward needs of the scores [N, H, 2]
  register("NormedAttention", ({ inputs, attrs, output }) => {
    const operands = inputs as Operands;
    const { table, heads, sizes, all } = sizesOf(operands, attrs as Attributes, tableFor);
    const [out, statistics] = [output(operands.q.shape), output([operands.q.shape[0]!, heads, 2])];
    const work = scratch(kernels.normedAttentionBytes(...sizes));
    kernels.normedAttention(...placesOf(operands, table, out, statistics), ...all, work);
    return [out, statistics];
  });
  // q, k and v become their gradients -> those of the weights
  register("NormedAttentionGradInPlace", ({ inputs, attrs, output }) => {
    const operands = inputs as Operands & Record<"out" | "statistics" | "dy", tf.TensorInfo>;
    const { qWeight, kWeight, out, statistics, dy } = operands;
    const { table, sizes, all } = sizesOf(operands, attrs as Attributes, tableFor);
    const gradients = [output(qWeight.shape), output(kWeight.shape)];
    const work = scratch(kernels.normedAttentionBackwardBytes(...sizes));
    kernels.normedAttentionBackward(...placesOf(operands, table, out, statistics, dy, ...gradients), ...all, work);
    return gradients;
  });
}

/** What the kernels and their scratch are told of the shapes. */
function sizesOf({ q, k, qWeight }: Operands, { batch, epsilon, theta }: Attributes, tableFor: RotaryTables) {
  const width = qWeight.shape[0]!;
  const [length, heads, kvHeads] = [q.shape[0]! / batch, q.shape[1]! / width, k.shape[1]! / width];
  const sizes = [length, heads, kvHeads, width];
  return { table: tableFor(width, theta, length), heads, sizes, all: [batch, ...sizes, epsilon, 1 / Math.sqrt(width)] };
}
