/**
 * Adds up the time that trainers spend on accepted tasks, and converts it to cents. Each accepted task also updates its
 * trainer's compute rate and the run's slowest task time.
 */
import { centsOfUsage } from "../../costs/usage.ts";
import { trainerRate } from "./cpu-rate.ts";
import { MAX_LEASE_MS, seen } from "./leases.ts";
import type { LeaseRecord, RunState } from "./run-state.ts";
import type { Submission } from "./task.ts";

/**
 * Converts trainers' time to cents. The coordinator measures the time from lease to result, because a Worker's clock stands
 * still while it computes. The time includes transfers, so it is an upper bound of CPU time.
 */
export function centsOf(milliseconds: number): number {
  return centsOfUsage({ cpuMilliseconds: milliseconds });
}

/** Counts an accepted task and the time that it took, and notes its trainer. */
export function timed(state: RunState, { trainer, givenAt }: LeaseRecord, { result, computeMs }: Submission, now: number): RunState {
  // Limited, so that a jump of the clock cannot use up the time budget.
  const took = Math.min(MAX_LEASE_MS, Math.max(0, now - givenAt));
  const computed = result.kind === "train" ? Math.min(took, Math.max(0, Number(computeMs) || 0)) : 0;
  const { trainers, ...noted } = seen(state, trainer, now);
  const record = trainers[trainer]!;
  const cpuRate = trainerRate(state.spec, computed, record.cpuRate);
  return {
    ...noted,
    trainers: cpuRate === undefined ? trainers : { ...trainers, [trainer]: { ...record, cpuRate } },
    spentMs: state.spentMs + took,
    computedMs: state.computedMs + computed,
    tasks: state.tasks + 1,
    // Decreases by a tenth with each task, so one slow task does not lengthen all later leases.
    slowestMs: Math.max(took, (state.slowestMs ?? 0) * 0.9),
  };
}
