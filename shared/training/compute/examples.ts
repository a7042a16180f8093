/**
 * Reads all training examples of a task before its first step, sorted by their position in the dataset. A task draws examples
 * from the whole dataset. Reading step by step would fetch every token file again and again.
 */
import type { Batch } from "../../model/backward/pass.ts";
import { objectiveOf } from "../objectives/list.ts";
import type { TrainTask } from "../protocol/task.ts";
import { exampleOf } from "./data-order.ts";

/** Read access to the training or the validation numbers of a dataset (16 bits each). */
export interface Stream {
  length: number;
  /** Returns the numbers [first, end). */
  read(first: number, end: number): Promise<Uint16Array>;
}

/** The examples of a task, in memory. */
export interface TaskExamples {
  /** Returns `count` examples, beginning with example `from`, as a batch. */
  batch(from: number, count: number): Batch;
}

/** Reads the examples of the sequence numbers [first, end). */
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
