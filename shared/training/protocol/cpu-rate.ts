/**
 * The rate at which trainers compute, learned from accepted tasks. Tasks are planned with a rate, because each has a limit of CPU
 * time. The shipped rate was measured on one machine, and other machines differ. A run keeps a rate for each trainer, and the
 * registry keeps a rate for each run. Both use a median, so that a trainer with a wrong clock or a false report changes the
 * planned rate little.
 */
import { OPERATIONS_PER_CPU_SECOND, taskOperations } from "../../model/footprint/cpu-time.ts";
import type { RunSpec, RunState } from "./run-state.ts";

/** Shorter tasks are ignored, because the start of a task and the steps of the clock would distort them. */
const MIN_COMPUTE_MS = 1000;
/**
 * The weight of a trainer's newest task in its rate. Older tasks keep the rest, because other work sometimes slows the processor
 * down.
 */
const NEWEST = 0.3;
/** The shipped rate counts as this many runs in the median, so a single run never changes the planned rate. */
const SHIPPED_RUNS = 2;
/** The planned rate stays within these factors of the shipped rate. */
const SLOWEST = 0.25;
const FASTEST = 2;

/**
 * A trainer's new rate, in operations per second, after an accepted task that it computed in `computeMs`. `known` is its rate
 * before the task.
 */
export function trainerRate({ model, training }: RunSpec, computeMs: number, known: number | undefined): number | undefined {
  if (computeMs < MIN_COMPUTE_MS) return known;
  const measured = (1000 * taskOperations(model, training)) / computeMs;
  return Math.round(known === undefined ? measured : known + NEWEST * (measured - known));
}

/** The lower median: for two values, the smaller one. */
function lowerMedian(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
}

/** The median rate of a run's trainers. Null until a task was long enough to measure. */
export function runRate({ trainers }: RunState): number | null {
  const rates = Object.values(trainers).flatMap(({ cpuRate, quarantined }) => (cpuRate === undefined || quarantined ? [] : [cpuRate]));
  return rates.length === 0 ? null : lowerMedian(rates);
}

/** The rate for planning the next run, from the rates of the last runs. */
export function plannedRate(runs: readonly number[]): number {
  const shipped = OPERATIONS_PER_CPU_SECOND;
  const middle = lowerMedian([...runs, ...Array.from({ length: SHIPPED_RUNS }, () => shipped)]);
  return Math.max(SLOWEST * shipped, Math.min(FASTEST * shipped, middle));
}
