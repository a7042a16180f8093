/**
 * Predicts the memory of a training task: wasm memory (step-memory.ts) plus JavaScript's heap. The prediction needs no
 * allocation, so a configuration that is too large is refused before it starts.
 */
import type { TrainingConfig } from "../../config.ts";
import type { NetworkConfig } from "../../network-config.ts";
import { namedError } from "../../errors.ts";
import { MAX_ISOLATE_BYTES } from "../../limits.ts";
import { objectiveOf } from "../../training/objectives/list.ts";
import { largestPartBytes } from "../formats/partition.ts";
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

/** Peak bytes of a task with `batch` sequences per step. */
export function estimateMemory(model: NetworkConfig, training: Trained, batch: number): MemoryEstimate {
  const optimizer = training.steps > 1 ? training.optimizer : null;
  const wasm = stepBytes(model, optimizer, batch, planPasses(model, training, batch));
  // The heap holds copies of the largest part: as read, as written, its optimizer state, its rounding errors.
  const part = largestPartBytes(model);
  const copies = (optimizer === null ? 2 : 3) + (training.compression === "float32" ? 0 : 3);
  const { examples, lossHead } = objectiveOf(training);
  const records = (2 * training.steps * batch * examples.recordLength(model)) / lossHead.group;
  const heap = CODE_BYTES + copies * part + records;
  return { wasm, heap, total: wasm + heap };
}

/** The peak memory of the largest training task of a run. */
export function estimateTaskMemory(model: NetworkConfig, training: TrainingConfig): MemoryEstimate {
  const batch = training.steps === 1 ? Math.ceil(training.batch / training.shards) : training.batch;
  return estimateMemory(model, training, batch * objectiveOf(training).lossHead.group);
}

/** Throws InvalidInput with the estimate if an isolate has less memory. */
export function checkMemory({ wasm, heap, total }: MemoryEstimate): void {
  if (total <= MAX_ISOLATE_BYTES) return;
  const [all, limit, wasmMib, heapMib] = [total, MAX_ISOLATE_BYTES, wasm, heap].map((bytes) => Math.ceil(bytes / MIB));
  throw namedError(
    "InvalidInput",
    `memory: expected a training task of at most ${limit} MiB (an isolate's limit), got ${all} MiB (${wasmMib} wasm, ${heapMib} heap); take a smaller model or vocabulary, or recompute`,
  );
}
