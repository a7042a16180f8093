/**
 * The training examples of a task, read at once and in the order in which they lie: examples are drawn from the whole
 * dataset, so reading them step by step would fetch every shard again and again, or need memory for all of them.
 */
import type { Batch } from "../../model/backward/pass.ts";
import { objectiveOf } from "../objectives/list.ts";
import type { TrainTask } from "../protocol/task.ts";
import { exampleOf } from "./data-order.ts";

/** The training or the validation side of a dataset: 16-bit numbers with random access. */
export interface Stream {
  length: number;
  /** The numbers [first, end). */
  read(first: number, end: number): Promise<Uint16Array>;
}

/** The examples of a task, two bytes a number. */
export interface TaskExamples {
  /** `count` of them from number `from` on. */
  batch(from: number, count: number): Batch;
}

/** The examples of the sequence numbers [first, end). */
export async function readExamples(task: TrainTask, [first, end]: readonly [number, number], stream: Stream): Promise<TaskExamples> {
  const { model, training } = task;
  const { examples } = objectiveOf(training);
  const count = examples.trainingCount(stream.length, model);
  const stride = examples.recordLength(model);
  const numbers = new Uint16Array((end - first) * stride);
  const order = Array.from({ length: end - first }, (_, index) => ({ index, example: exampleOf(training.seed, first + index, count) }));
  for (const { index, example } of order.toSorted((a, b) => a.example - b.example)) {
    const start = examples.recordStart(example, model);
    numbers.set(await stream.read(start, start + stride), index * stride);
  }
  return {
    batch(from, size) {
      const records = Array.from({ length: size }, (_, index) => numbers.subarray((from + index) * stride, (from + index + 1) * stride));
      return examples.batch(records, model);
    },
  };
}
