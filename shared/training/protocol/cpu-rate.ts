/**
 * The rate at which trainers compute, learnt from accepted tasks: the shipped rate was measured on one machine, and tasks
 * are planned against a limit of CPU time wherever Tiffin runs. A run knows one rate for each trainer, the registry one for
 * each run, and both take a median, so that a trainer with a wrong clock or a lie moves the planned rate little.
 */
import { OPERATIONS_PER_CPU_SECOND, taskOperations } from "../../model/footprint/cpu-time.ts";
import type { RunSpec, RunState } from "./run-state.ts";

/** Shorter computing says little: starting a task and the grain of the clock weigh too much. */
const MIN_COMPUTE_MS = 1000;
/** Weight of a trainer's newest task: other work shares the processor at times. */
const NEWEST = 0.3;
/** Runs that the shipped rate stands for: one run alone never moves the planned rate. */
const SHIPPED_RUNS = 2;
/** The planned rate stays within these factors of the shipped rate. */
const SLOWEST = 0.25;
const FASTEST = 2;

/** A trainer's rate after an accepted task with `computeMs` of computing, in operations a second; `known` is its rate before. */
export function trainerRate({ model, training }: RunSpec, computeMs: number, known: number | undefined): number | undefined {
  if (computeMs < MIN_COMPUTE_MS) return known;
  const measured = (1000 * taskOperations(model, training)) / computeMs;
  return Math.round(known === undefined ? measured : known + NEWEST * (measured - known));
}

/** The lower middle: of two values the smaller. */
function lowerMedian(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
}

/** The rate of a run's trainers; null while no task has shown it. */
export function runRate({ trainers }: RunState): number | null {
  const rates = Object.values(trainers).flatMap(({ cpuRate, quarantined }) => (cpuRate === undefined || quarantined ? [] : [cpuRate]));
  return rates.length === 0 ? null : lowerMedian(rates);
}

/** The rate that the next run is planned with, from those of the last runs. */
export function plannedRate(runs: readonly number[]): number {
  const shipped = OPERATIONS_PER_CPU_SECOND;
  const middle = lowerMedian([...runs, ...Array.from({ length: SHIPPED_RUNS }, () => shipped)]);
  return Math.max(SLOWEST * shipped, Math.min(FASTEST * shipped, middle));
}
