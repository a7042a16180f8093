/** Arrays that tfjs does not know: who frees what, when. */
import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { startBackend } from "../../../../shared/tensor/engine/backend.ts";
import { allocated, arrayOf, numberOf, onHeap, run, tensorOf, type HeapBuffer } from "../../../../shared/tensor/engine/buffer.ts";
import { watchAllocator } from "../allocator.ts";

beforeAll(() => startBackend());

/** How many blocks `work` leaves allocated; frees anything only once. */
function left(work: () => void): number {
  const blocks = new Set<number>();
  watchAllocator(
    work,
    (offset) => blocks.add(offset),
    (offset) => expect(blocks.delete(offset)).toBe(true),
  );
  return blocks.size;
}

test("memory is freed with the last array of a block", () => {
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
      // What still lives was not handed out again.
      expect([numberOf(last), numberOf(other)]).toEqual([5, 7]);
      expect(() => last.rows(0, 2)).toThrow("expected some of 1, got 0 to 2");
    }),
  );
  expect(blocks).toBe(0);
});

test("a scope frees what it leaves, also when it throws, and nothing of the scope around it", () => {
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
      // Freed before, and not a second time.
      stray!.dispose();
      expect([...(tf.tidy(() => tensorOf(outer).dataSync()) as Int32Array)]).toEqual([3]);
    }),
  );
  expect(blocks).toBe(0);
});

test("an array becomes a tensor, when it shares its numbers with no other", () => {
  const before = tf.memory().numTensors;
  const tensor = onHeap(() => {
    const array = arrayOf(Float32Array.of(1, 2));
    const view = array.view([2, 1]);
    expect(() => tensorOf(array)).toThrow("expected a buffer that shares its numbers with no other");
    view.dispose();
    return tensorOf(array);
  });
  expect([...tensor.dataSync()]).toEqual([1, 2]);
  expect(tf.memory().numTensors).toBe(before + 1);
  tensor.dispose();
  expect(tf.memory().numTensors).toBe(before);
});

test("kernels take tensors and arrays alike, and write where they are told", () => {
  const got = onHeap(() => {
    const [a, b] = [tf.tensor2d([1, 2, 3, 4], [2, 2]), arrayOf(Float32Array.of(1, 0, 0, 2)).shaped([2, 2])];
    const plainly = { transposeA: false, transposeB: false };
    const whole = allocated([3, 2]);
    const into = whole.rows(1, 2);
    run("BatchMatMul", { a, b }, plainly, into);
    expect(() => run("BatchMatMul", { a, b }, plainly, whole)).toThrow("BatchMatMul: expected room for [2,2], got [3,2]");
    into.dispose();
    a.dispose();
    return tf.tidy(() => [...tensorOf(whole).dataSync()].slice(2));
  });
  expect(got).toEqual([1, 4, 3, 8]);
  expect(() => run("Nothing", {})).toThrow("Nothing: expected a registered kernel, found none");
});
