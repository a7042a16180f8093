/** Wasm memory beyond what lives in it. */
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { startBackend, wasmBytes } from "../../../shared/tensor/engine/backend.ts";

test("wasm memory grows by what is asked for, in steps of a mebibyte", async () => {
  await startBackend();
  const before = wasmBytes();
  // Larger than all that is free, so that the memory has to grow.
  const bytes = 4 * before;
  tf.zeros([bytes / 4]).dispose();
  const grown = wasmBytes() - before;
  expect(grown).toBeLessThanOrEqual(bytes + 2 ** 20 + 2 ** 16);
  // What was freed is used again.
  tf.zeros([bytes / 4]).dispose();
  expect(wasmBytes() - before).toBe(grown);
});
