/** matMul for every transposition; the stock kernel falls to a scalar loop for transposed or batched operands. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../kernel-context.ts";

export function registerMatMul({ backend, kernels, offset, scratch, register }: KernelContext): void {
  register("BatchMatMul", ({ inputs, attrs }) => {
    const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
    const [ar, ac] = a.shape.slice(-2) as [number, number];
    const [br, bc] = b.shape.slice(-2) as [number, number];
    const [m, k] = transposeA ? [ac, ar] : [ar, ac];
    const [kb, n] = transposeB ? [bc, br] : [br, bc];
    if (k !== kb) throw new Error(`matMul: expected inner sizes to agree, got ${k} and ${kb}`);
    const aBatch = tf.util.sizeFromShape(a.shape.slice(0, -2));
    const bBatch = tf.util.sizeFromShape(b.shape.slice(0, -2));
    const batch = Math.max(aBatch, bBatch);
    if (aBatch !== bBatch && aBatch !== 1 && bBatch !== 1)
      throw new Error(`matMul: expected equal batches or 1, got ${aBatch} and ${bBatch}`);
    const lead = (aBatch >= bBatch ? a.shape : b.shape).slice(0, -2);
    const out = backend.makeOutput([...lead, m, n], "float32");
    const pack = scratch(kernels.packBytes(n, k));
    const [aOffset, bOffset, outOffset] = [offset(a), offset(b), offset(out)];
    for (let index = 0; index < batch; index++) {
      kernels.matMul(
        aOffset + (aBatch === 1 ? 0 : index * m * k * 4),
        bOffset + (bBatch === 1 ? 0 : index * k * n * 4),
        outOffset + index * m * n * 4,
        m,
        n,
        k,
        transposeA ? 1 : k,
        transposeA ? m : 1,
        transposeB ? 1 : n,
        transposeB ? k : 1,
        pack,
      );
    }
    return out;
  });
}
