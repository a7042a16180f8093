/**
 * The training windows of a task, read at once and in the order in which they lie: windows are drawn from the whole data
 * set, so reading them step by step would fetch every shard again and again, or need memory for all of them.
 */
import type { Batch } from "./training-step.ts";
import { windowCount, windowOf } from "./data-order.ts";
import type { TrainTask } from "../protocol/task.ts";

/** Random access to a token stream: the tokens [first, end). */
export type ReadTokens = (first: number, end: number) => Promise<Uint16Array>;

/** The windows of sequence numbers first..first+count-1, two bytes a token; `batch` gives some of them as tensors' values. */
export async function readWindows(
  task: TrainTask,
  first: number,
  count: number,
  trainTokens: number,
  read: ReadTokens,
): Promise<{ batch(from: number, sequences: number): Batch }> {
  const { context } = task.model;
  const windows = windowCount(trainTokens, context);
  const stride = context + 1;
  const tokens = new Uint16Array(count * stride);
  const order = Array.from({ length: count }, (_, index) => ({ index, window: windowOf(task.training.seed, first + index, windows) }));
  for (const { index, window } of order.toSorted((a, b) => a.window - b.window)) {
    tokens.set(await read(window * context, window * context + stride), index * stride);
  }
  return {
    batch(from, sequences) {
      const inputs = new Int32Array(sequences * context);
      const labels = new Int32Array(sequences * context);
      for (let index = 0; index < sequences; index++) {
        const start = (from + index) * stride;
        inputs.set(tokens.subarray(start, start + context), index * context);
        labels.set(tokens.subarray(start + 1, start + stride), index * context);
      }
      return { inputs, labels, sequences };
    },
  };
}
