/** All decisions about a training task before its first token is read. They depend on the task alone. */
import { estimateMemory, type MemoryEstimate } from "../../model/footprint/memory.ts";
import { planPasses } from "../../model/footprint/plan.ts";
import { storedBytes, type StepPlan } from "../../model/footprint/step-memory.ts";
import { objectiveOf } from "../objectives/list.ts";
import type { TrainTask } from "../protocol/task.ts";
import { sequencesOf } from "./data-order.ts";

export interface TaskPlan {
  /** Sequence numbers of the task's examples: [first, end). */
  range: readonly [first: number, end: number];
  /** Examples per step. */
  batch: number;
  /** How a batch is divided into passes. */
  passes: StepPlan;
  /** Predicted peak of the isolate's memory. */
  memory: MemoryEstimate;
  /** Bytes of the parts that the task reads. */
  partBytes: number;
}

/** Plans a task. Throws if the task has no examples, because the run has more shards than examples per batch. */
export function planTask({ model, training, round, shard }: Pick<TrainTask, "model" | "training" | "round" | "shard">): TaskPlan {
  const range = sequencesOf(training, round, shard);
  const batch = training.steps === 1 ? range[1] - range[0] : training.batch;
  if (batch === 0)
    throw new Error(`train task: expected at most ${training.batch} shards for a batch of ${training.batch}, got ${training.shards}`);
  const sequences = batch * objectiveOf(training).lossHead.group;
  return {
    range,
    batch,
    passes: planPasses(model, training, sequences),
    memory: estimateMemory(model, training, sequences),
    partBytes: storedBytes(model, training.steps > 1 ? training.optimizer : null),
  };
}
