import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, expect, test } from "vitest";
import { startBackend } from "../../../shared/tensor/engine/backend.ts";

beforeAll(startBackend);

test("a clone shares the data, and the data stay until the last reference is disposed", () => {
  const before = tf.memory();
  const original = tf.tensor1d([1, 2, 3]);
  const clone = original.clone();
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers + 1);
  original.dispose();
  // If the memory had been freed, this tensor would get the same memory.
  const other = tf.tensor1d([7, 8, 9]);
  expect(Array.from(clone.dataSync())).toEqual([1, 2, 3]);
  tf.dispose([clone, other]);
  expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
});
