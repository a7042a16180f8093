/** The four tfjs operations that a decoder needs beside our kernels: Add, Concat, Slice and Reshape. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelContext } from "../engine/kernel-context.ts";

const VALUE_BYTES = 4;
const bytesOf = (shape: readonly number[]) => VALUE_BYTES * tf.util.sizeFromShape([...shape]);

export function registerPlain({ backend, kernels, offset, copy, register }: KernelContext): void {
  register("Add", ({ inputs, output }) => {
    const { a, b } = inputs as Record<"a" | "b", tf.TensorInfo>;
    if (!tf.util.arraysEqual(a.shape, b.shape)) throw new Error(`add: expected equal shapes, got [${a.shape}] and [${b.shape}]`);
    const out = output(a.shape);
    copy(offset(a), offset(out), bytesOf(a.shape));
    kernels.addInPlace(offset(out), offset(b), tf.util.sizeFromShape(a.shape));
    return out;
  });

  register("Concat", ({ inputs, attrs, output }) => {
    const { axis } = attrs as { axis: number };
    const parts = Object.values(inputs);
    const [first] = parts as [tf.TensorInfo];
    const shape = first.shape.with(
      axis,
      parts.reduce((sum, part) => sum + part.shape[axis]!, 0),
    );
    const out = output(shape);
    const outer = tf.util.sizeFromShape(shape.slice(0, axis));
    let to = offset(out) as number;
    for (let row = 0; row < outer; row++) {
      for (const part of parts) {
        const bytes = bytesOf(part.shape.slice(axis));
        copy(offset(part) + row * bytes, to, bytes);
        to += bytes;
      }
    }
    return out;
  });

  register("Slice", ({ inputs, attrs, output }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    const { begin, size } = attrs as { begin: number[]; size: number[] };
    const rest = x.shape.slice(1);
    if (begin.slice(1).some((from) => from !== 0) || !tf.util.arraysEqual(size.slice(1), rest))
      throw new Error(`slice: expected a cut along the first axis, got ${begin} and ${size} of [${x.shape}]`);
    const out = output(size);
    copy(offset(x) + begin[0]! * bytesOf(rest), offset(out), bytesOf(size));
    return out;
  });

  register("Reshape", ({ inputs, attrs }) => {
    const { x } = inputs as { x: tf.TensorInfo };
    const shape = tf.util.inferFromImplicitShape((attrs as { shape: number[] }).shape, tf.util.sizeFromShape(x.shape));
    // Both tensors share the values.
    backend.incRef(x.dataId);
    return { dataId: x.dataId, shape, dtype: x.dtype };
  });
}
