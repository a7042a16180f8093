/** The growth of wasm memory. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { startBackend, wasmBytes } from "../../../shared/tensor/engine/backend.ts";

test("wasm memory grows by the requested size, in steps of 1 MiB", async () => {
  await startBackend();
  const before = wasmBytes();
  // Larger than all free memory, so the memory must grow.
  const bytes = 4 * before;
  tf.zeros([bytes / 4]).dispose();
  const grown = wasmBytes() - before;
  expect(grown).toBeLessThanOrEqual(bytes + 2 ** 20 + 2 ** 16);
  // Freed memory is used again.
  tf.zeros([bytes / 4]).dispose();
  expect(wasmBytes() - before).toBe(grown);
});
