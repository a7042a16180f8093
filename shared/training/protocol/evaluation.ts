/** Ends an evaluation: updates the best checkpoint, and decides whether the run ends (early stopping). Pure, like run.ts. */
import type { EvaluateResult } from "./task.ts";
import { emptySlots, type Evaluated, type RunState } from "./run-state.ts";

/** Maximum number of evaluated checkpoints to keep besides the best checkpoint. */
export const MAX_KEPT = 4;

/** Ends an evaluation when all slices have their scores. Training continues, or the run ends with its best checkpoint. */
export function finishEvaluation(state: RunState): RunState {
  const parts = state.slots.map(({ result }) => result as EvaluateResult);
  const targets = parts.reduce((sum, part) => sum + part.targets, 0);
  if (targets === 0) return { ...state, phase: "failed", error: "evaluation: expected at least one validation target, got none" };
  const valLoss = parts.reduce((sum, part) => sum + part.lossSum, 0) / targets;
  const evaluated: Evaluated = { base: state.base, valLoss };
  const isBest = state.best === null || valLoss < state.best.valLoss;
  const best = isBest ? evaluated : state.best!;
  const evaluationsSinceBest = isBest ? 0 : state.evaluationsSinceBest + 1;
  const { patience, targetLoss } = state.spec.supervision;
  const reached = targetLoss > 0 && valLoss <= targetLoss ? "target-loss" : null;
  const tired = patience > 0 && evaluationsSinceBest >= patience ? "patience" : null;
  const stopReason = state.stopReason ?? reached ?? tired;
  const next: RunState = {
    ...state,
    slots: emptySlots(state.slots.length),
    best,
    evaluationsSinceBest,
    kept: [...state.kept, evaluated].slice(-MAX_KEPT),
    evaluations: state.evaluations + 1,
    evaluatingSince: null,
    stopReason,
  };
  return stopReason === null ? { ...next, phase: "training" } : { ...next, phase: "done", base: best.base };
}
