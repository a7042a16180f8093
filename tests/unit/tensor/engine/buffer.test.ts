/** Buffers are memory that tfjs does not know. The tests check when their memory is freed, and by which owner. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { allocated, arrayOf, numberOf, onHeap, run, tensorOf, type HeapBuffer } from "../../../../shared/tensor/engine/buffer.ts";
import { watchAllocator } from "../allocator.ts";

beforeAll(() => startBackend());

/** The blocks that `work` leaves allocated. Asserts that each block is freed only once. */
function left(work: () => void): number {
  const blocks = new Set<number>();
  watchAllocator(
    work,
    (offset) => blocks.add(offset),
    (offset) => expect(blocks.delete(offset)).toBe(true),
  );
  return blocks.size;
}

test("memory is freed with the last buffer that shares it", () => {
  const blocks = left(() =>
    onHeap(() => {
      const whole = arrayOf(Float32Array.of(1, 2, 3, 4, 5, 6)).shaped([3, 2]);
      const [wide, last] = [whole.view([2, 3]), whole.rows(2, 1)];
      whole.dispose();
      expect([wide, last].map((array) => array.shape)).toEqual([
        [2, 3],
        [1, 2],
      ]);
      expect([numberOf(wide), numberOf(last)]).toEqual([1, 5]);
      wide.dispose();
      const other = arrayOf(Float32Array.of(7));
      // Memory that is still shared was not allocated again.
      expect([numberOf(last), numberOf(other)]).toEqual([5, 7]);
      expect(() => last.rows(0, 2)).toThrow("expected a range within 0 to 1, got 0 to 2");
    }),
  );
  expect(blocks).toBe(0);
});

test("a scope frees its own buffers, even when it throws, and no buffer of the outer scope", () => {
  const blocks = left(() =>
    onHeap(() => {
      const outer = arrayOf(Int32Array.of(3));
      let stray: HeapBuffer | null = null;
      const inner = () =>
        onHeap(() => {
          stray = allocated([100]);
          throw new Error("inner");
        });
      expect(inner).toThrow("inner");
      // The buffer was freed before. This call must not free it a second time.
      stray!.dispose();
      expect([...(tf.tidy(() => tensorOf(outer).dataSync()) as Int32Array)]).toEqual([3]);
    }),
  );
  expect(blocks).toBe(0);
});

test("a buffer becomes a tensor if it shares its numbers with no other buffer", () => {
  const before = tf.memory().numTensors;
  const tensor = onHeap(() => {
    const array = arrayOf(Float32Array.of(1, 2));
    const view = array.view([2, 1]);
    expect(() => tensorOf(array)).toThrow("expected a buffer that no other buffer shares memory with");
    view.dispose();
    return tensorOf(array);
  });
  expect([...tensor.dataSync()]).toEqual([1, 2]);
  expect(tf.memory().numTensors).toBe(before + 1);
  tensor.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test("kernels accept both tensors and buffers, and write to the given buffer", () => {
  const got = onHeap(() => {
    const [a, b] = [tf.tensor2d([1, 2, 3, 4], [2, 2]), arrayOf(Float32Array.of(1, 0, 0, 2)).shaped([2, 2])];
    const plainly = { transposeA: false, transposeB: false };
    const whole = allocated([3, 2]);
    const into = whole.rows(1, 2);
    run("BatchMatMul", { a, b }, plainly, into);
    expect(() => run("BatchMatMul", { a, b }, plainly, whole)).toThrow("BatchMatMul: expected an output buffer [2,2], got [3,2]");
    into.dispose();
    a.dispose();
    return tf.tidy(() => [...tensorOf(whole).dataSync()].slice(2));
  });
  expect(got).toEqual([1, 4, 3, 8]);
  expect(() => run("Nothing", {})).toThrow("Nothing: expected a registered kernel, found none");
});
