/**
 * The memory that a training task needs: wasm memory (step-memory.ts) and JavaScript's heap. Predicted before anything is
 * allocated, so that a configuration that cannot fit is refused with the figures.
 */
import type { ModelConfig, TrainingConfig } from "../../config.ts";
import { namedError } from "../../errors.ts";
import { MAX_ISOLATE_BYTES } from "../../limits.ts";
import { objectiveOf } from "../../training/objectives/list.ts";
import { partition } from "../formats/partition.ts";
import { planPasses } from "./plan.ts";
import { stepBytes } from "./step-memory.ts";

const MIB = 1024 * 1024;

/** Code and objects of a trainer with compiled kernels; measured, see ../README.md. */
const CODE_BYTES = 12 * MIB;

export interface MemoryEstimate {
  wasm: number;
  heap: number;
  total: number;
}

type Trained = Pick<TrainingConfig, "objective" | "optimizer" | "clipNorm" | "recompute" | "steps" | "compression">;

/** Peak bytes of a task that trains on `batch` sequences a step. */
export function estimateMemory(model: ModelConfig, training: Trained, batch: number): MemoryEstimate {
  const optimizer = training.steps > 1 ? training.optimizer : null;
  const wasm = stepBytes(model, optimizer, batch, planPasses(model, training, batch));
  // The largest part as it was read and as it is written, its state of two moments, and its rounding errors.
  const part = Math.max(
    ...partition(model).map((shapes) => shapes.reduce((sum, [, shape]) => sum + shape.reduce((size, axis) => size * axis, 4), 0)),
  );
  const copies = (optimizer === null ? 2 : 3) + (training.compression === "float32" ? 0 : 3);
  const { examples, lossHead } = objectiveOf(training);
  const records = (2 * training.steps * batch * examples.recordLength(model)) / lossHead.group;
  const heap = CODE_BYTES + copies * part + records;
  return { wasm, heap, total: wasm + heap };
}

/** The most that a task of a run needs. */
export function estimateTaskMemory(model: ModelConfig, training: TrainingConfig): MemoryEstimate {
  const batch = training.steps === 1 ? Math.ceil(training.batch / training.shards) : training.batch;
  return estimateMemory(model, training, batch * objectiveOf(training).lossHead.group);
}

/** Throws InvalidInput, with the figures, when an isolate does not have that much. */
export function checkMemory({ wasm, heap, total }: MemoryEstimate): void {
  if (total <= MAX_ISOLATE_BYTES) return;
  const [all, limit, wasmMib, heapMib] = [total, MAX_ISOLATE_BYTES, wasm, heap].map((bytes) => Math.ceil(bytes / MIB));
  throw namedError(
    "InvalidInput",
    `memory: expected a training task of at most ${limit} MiB (an isolate's limit), got one of ${all} MiB (${wasmMib} wasm, ${heapMib} heap); take a smaller model or vocabulary, or recompute`,
  );
}
