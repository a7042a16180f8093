/** Rotary positions (kernels/attention/rotary.ts). */
import type * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";
import { pointer } from "../engine/wasm-runtime.ts";
import type { RotaryTables } from "./rotary-tables.ts";

export function registerRotary({ kernels, offset, register }: KernelContext, tableFor: RotaryTables): void {
  register("Rotary", ({ inputs, attrs, output }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    const { theta, first, inverse } = attrs as { theta: number; first: number; inverse: boolean };
    const [batch, length, heads, width] = x.shape as [number, number, number, number];
    const table = pointer(tableFor(width, theta, first + length) + first * width * 4);
    const out = output(x.shape);
    kernels.rotary(offset(x), offset(out), table, batch, length, heads, width, inverse ? -1 : 1);
    return out;
  });
}
