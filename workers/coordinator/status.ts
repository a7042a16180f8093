/** The answer of `GET /runs/:id`. A field is null while its value is unknown. */
import type { Dataset } from "../../shared/artifacts.ts";
import { isDense } from "../../shared/network-kind.ts";
import { runStatusSchema, type RunStatus } from "../../shared/contracts/runs.ts";
import { parameterCount } from "../../shared/model/weights.ts";
import { tokensPerRound } from "../../shared/training/compute/rounds.ts";
import { objectiveOf } from "../../shared/training/objectives/list.ts";
import { centsOf } from "../../shared/training/protocol/cost.ts";
import type { RunState } from "../../shared/training/protocol/run-state.ts";
import type { EvaluationRow, RunHistory } from "./run-history.ts";
import { isLiving } from "../../shared/training/protocol/leases.ts";

const MAX_LOSSES_SHOWN = 200;
/** The losses in a status: `curve` over the whole run, or only the `newest` loss. */
export type LossesShown = "curve" | "newest";

/** The Workflow's last report. Before training, nothing else is known of a run. */
export interface Preparation {
  id: string;
  progress: { stage: string; done: number; total: number };
  error: string | null;
  /** The run that this run branched off. */
  branchOf?: string;
}

/** The record of a run that begins as a branch, without a preparation. */
export const branchRecord = (id: string, branchOf: string): Preparation => ({
  id,
  progress: { stage: "branch", done: 1, total: 1 },
  error: null,
  branchOf,
});

/** The time that evaluations took, in milliseconds. Only evaluations that ended by `before` count. */
function evaluationMs(evaluations: readonly EvaluationRow[], before: number): number {
  return evaluations.reduce((sum, row) => sum + (row.ended_at <= before ? row.ended_at - row.started_at : 0), 0);
}

/** The status of a run before training. Every other field is unknown. */
function preparing({ id, progress, error, branchOf }: Preparation): RunStatus {
  return runStatusSchema.parse({ id, progress, error, branchOf, state: error === null ? "preparing" : "failed" });
}

/** The status of a run. `record` or `state` must exist. */
export function statusOf(
  record: Preparation | null,
  state: RunState | null,
  history: RunHistory,
  losses: LossesShown,
  dataset: Dataset | null,
): RunStatus {
  if (state === null) return preparing(record!);
  const now = Date.now();
  const { firstLoss, recent, evaluations } = history.summary();
  const { spec, base, firstLeaseAt } = state;
  const [first, last] = [recent[0]?.committed_at ?? 0, recent.at(-1)?.committed_at ?? 0];
  const span = last - first - (evaluationMs(evaluations, last) - evaluationMs(evaluations, first));
  const perRound = tokensPerRound(spec.training, spec.model);
  const rate = recent.length > 1 && span > 0 ? ((recent.length - 1) * perRound * 1000) / span : null;
  const { error } = state;
  const valLoss = state.best?.valLoss ?? null;
  const secondsAt = (time: number | null) =>
    firstLeaseAt === null || time === null ? 0 : Math.max(0, time - firstLeaseAt - evaluationMs(evaluations, time)) / 1000;
  const shownState = error !== null ? "failed" : state.paused ? "paused" : state.phase;
  return {
    ...preparing(record ?? { id: spec.run, progress: { stage: state.phase, done: 0, total: 0 }, error }),
    state: shownState,
    progress: { stage: state.phase, done: base.round, total: spec.rounds },
    preset: spec.preset,
    parameters: parameterCount(spec.model),
    vocabSize: isDense(spec.model) ? null : spec.model.vocabSize,
    shards: spec.training.shards,
    steps: spec.training.steps,
    round: base.round,
    rounds: spec.rounds,
    tokens: base.tokens,
    totalTokens: perRound * spec.rounds,
    tokensPerSecond: rate === null ? null : Math.round(rate),
    secondsLeft: rate === null ? null : Math.round(((spec.rounds - base.round) * perRound) / rate),
    trainingSeconds: secondsAt(recent.at(-1)?.committed_at ?? null),
    losses: losses === "curve" ? history.losses(MAX_LOSSES_SHOWN) : recent.slice(-1),
    firstLoss,
    evaluations: evaluations.map((row) => ({
      round: row.round,
      checkpoint: row.checkpoint,
      valLoss: row.val_loss,
      trainingSeconds: secondsAt(row.committed_at),
    })),
    valLoss,
    ...(dataset === null ? {} : objectiveOf(spec.training).metrics(valLoss, dataset)),
    checkpoint: base.checkpoint,
    stopReason: state.stopReason,
    rollbacks: state.rollbacks,
    leases: state.slots.flatMap(({ leases, result }, shard) =>
      result !== null
        ? []
        : leases
            .filter((record_) => isLiving(record_, now))
            .map(({ trainer, expiresAt }) => ({ shard, trainer, secondsLeft: Math.round((expiresAt - now) / 1000) })),
    ),
    finished: state.slots.filter(({ result }) => result !== null).length,
    trainers: Object.entries(state.trainers).map(([name, { seenAt, strikes, quarantined }]) => ({
      name,
      strikes,
      quarantined,
      secondsSilent: Math.round((now - seenAt) / 1000),
    })),
    tasks: state.tasks,
    cpuMillisecondsPerTask: state.tasks === 0 ? null : Math.round(state.spentMs / state.tasks),
    computeSeconds: state.computedMs / 1000,
    cents: centsOf(state.spentMs),
    bytesPerRound: state.roundBytes,
    counts: state.counts,
    error,
  };
}
