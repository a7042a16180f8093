/**
 * Performs the reducer's effects: a reduction or a rollback. It stores all objects first and returns a change that moves the
 * run's pointer to them. Other calls may change the state while an effect runs. So the change is applied to the latest state,
 * and the reducer ignores a change that names an older checkpoint.
 */
import { isDamage } from "../../shared/store.ts";
import { damaged, reduced, reissue, rolledBack, type Effect } from "../../shared/training/protocol/run.ts";
import type { RunState } from "../../shared/training/protocol/run-state.ts";
import { log } from "../../shared/log.ts";
import { BadDelta } from "./mean.ts";
import { nextCheckpoint, putCheckpoint } from "./reduce.ts";

export interface Outcome {
  kind: "reduced" | "rolled-back" | "reopened";
  change: (state: RunState, now: number) => RunState;
}

/** Throws if storage fails. A storage failure is not the run's fault, so the caller tries again later. */
export async function performEffect(bucket: R2Bucket, before: RunState, effect: Effect): Promise<Outcome> {
  const { round, checkpoint } = before.base;
  const { run } = before.spec;
  try {
    if (effect.kind === "reduce") {
      const base = await nextCheckpoint(bucket, before);
      log("info", "round committed", { run, round });
      return { kind: "reduced", change: (state, now) => reduced(state, checkpoint, base, now) };
    }
    const base = await putCheckpoint(bucket, before.spec, { ...effect.to, lrScale: effect.lrScale });
    log("warn", `back to round ${base.round}: ${effect.reason}`, { run, round });
    return { kind: "rolled-back", change: (state) => rolledBack(state, checkpoint, base, effect.reason) };
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof BadDelta) {
      log("warn", message, { run, round, shard: error.shard });
      return { kind: "reopened", change: (state, now) => reissue(state, checkpoint, error.shard, "bad-delta", now) };
    }
    if (!isDamage(error)) throw error;
    log("error", `damaged: ${message}`, { run, round });
    return { kind: "reopened", change: (state) => damaged(state, checkpoint, message) };
  }
}
