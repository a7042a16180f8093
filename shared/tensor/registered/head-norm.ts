/** RMSNorm of heads that are turned to their positions, and its gradient; see kernels/head-norm.ts. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";
import type { RotaryTables } from "./rotary-tables.ts";

type Sizes = [batch: number, length: number, heads: number, width: number];

export function registerHeadNorm({ kernels, offset, register }: KernelContext, tableFor: RotaryTables): void {
  // x [N, H D], attrs.shape [B, T, H, D] -> of that shape, and the inverse rms [N H]
  register("HeadNorm", ({ inputs, attrs, output }) => {
    const { x, weight } = inputs as Record<"x" | "weight", tf.TensorInfo>;
    const { shape, theta, epsilon } = attrs as { shape: Sizes; theta: number; epsilon: number };
    const [batch, length, heads, width] = shape;
    const rows = batch * length * heads;
    const [out, inverse] = [output([...shape]), output([rows])];
    const table = tableFor(width, theta, length);
    if (isOneKernel(heads, width)) {
      kernels.headNorm(offset(x), offset(weight), table, offset(out), offset(inverse), batch, length, heads, width, epsilon);
    } else {
      kernels.rmsNorm(offset(x), offset(weight), offset(out), offset(inverse), rows, width, epsilon);
      kernels.rotary(offset(out), offset(out), table, batch, length, heads, width, 1);
    }
    return [out, inverse];
  });
  // dy [B, T, H, D] becomes dx -> the gradient of the weight [D]
  register("HeadNormGradInPlace", ({ inputs, attrs, output }) => {
    const { x, weight, inverse, dy } = inputs as Record<"x" | "weight" | "inverse" | "dy", tf.TensorInfo>;
    const { theta } = attrs as { theta: number };
    const [batch, length, heads, width] = dy.shape as Sizes;
    const rows = batch * length * heads;
    const dweight = output([width]);
    const [at, scale, r, to, sum] = [offset(x), offset(weight), offset(inverse), offset(dy), offset(dweight)];
    const table = tableFor(width, theta, length);
    if (isOneKernel(heads, width)) kernels.headNormBackward(at, scale, table, r, to, sum, batch, length, heads, width);
    else {
      kernels.rotary(to, to, table, batch, length, heads, width, -1);
      kernels.rmsNormBackward(at, scale, r, to, 0, to, sum, rows, width);
    }
    return dweight;
  });
}

/** Whether the kernel that does both takes that many heads of that width. */
function isOneKernel(heads: number, width: number): boolean {
  return heads % 4 === 0 && width % 8 === 0;
}
