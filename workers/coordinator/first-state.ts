/** The state that a run begins with: its limits are checked, and its first checkpoint is written, or copied from another run or a model. */
import type { Hash } from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { checkCpu, estimateEvaluationCpu, estimateTaskCpu } from "../../shared/model/footprint/cpu-time.ts";
import { checkMemory, estimateTaskMemory } from "../../shared/model/footprint/memory.ts";
import { checkReduction, estimateReduction } from "../../shared/model/footprint/subrequests.ts";
import { initialState, type Base, type RunSpec, type RunState } from "../../shared/training/protocol/run-state.ts";
import { copyPublished } from "./checkpoints.ts";
import { firstCheckpoint, putCheckpoint } from "./reduce.ts";

/** The run and checkpoint that a branch begins from; the newest kept checkpoint unless one is named. */
export interface BranchOrigin {
  run: string;
  checkpoint?: Hash | undefined;
  lrScale?: number;
}

/** A published model whose weights the run begins with. */
export interface PublishedOrigin {
  model: Hash;
  lrScale: number;
}

/** Throws InvalidInput for a spec that no trainer could work on, and NotFound for an origin that does not exist. */
export async function firstState(env: CoordinatorEnv, spec: RunSpec, from?: BranchOrigin | PublishedOrigin): Promise<RunState> {
  const { training } = spec;
  if (training.steps === 1 && training.shards > training.batch)
    throw namedError("InvalidInput", `shards: expected at most ${training.batch}, one sequence each, got ${training.shards}`);
  checkMemory(estimateTaskMemory(spec.model, training));
  checkReduction(estimateReduction(spec.model, training));
  checkCpu(estimateTaskCpu(spec.model, training));
  checkCpu(estimateEvaluationCpu(spec.model, training, spec.valTokens ?? 0));
  const base = await firstBase(env, spec, from);
  if (base.round >= spec.rounds)
    throw namedError("InvalidInput", `tokens: expected more than the ${base.tokens} that the checkpoint has seen, got ${training.tokens}`);
  return initialState(spec, base);
}

function firstBase(env: CoordinatorEnv, spec: RunSpec, from: BranchOrigin | PublishedOrigin | undefined): Promise<Base> {
  if (from === undefined) return firstCheckpoint(env.ARTIFACTS, spec);
  return "model" in from ? publishedCheckpoint(env, spec, from) : branchedCheckpoint(env, spec, from);
}

/** A published model's weights under the data and the rules of this run, at round 0. */
async function publishedCheckpoint({ ARTIFACTS }: CoordinatorEnv, spec: RunSpec, { model, lrScale }: PublishedOrigin): Promise<Base> {
  const weights = await copyPublished(ARTIFACTS, model, spec.run);
  const inner = Array.from({ length: spec.training.shards }, () => null);
  return putCheckpoint(ARTIFACTS, spec, { round: 0, tokens: 0, lrScale, weights, outer: null, inner });
}

async function branchedCheckpoint(env: CoordinatorEnv, spec: RunSpec, from: BranchOrigin): Promise<Base> {
  const base = await env.RUN.getByName(from.run).copyTo(spec.run, from.checkpoint);
  return putCheckpoint(env.ARTIFACTS, spec, { ...base, lrScale: base.lrScale * (from.lrScale ?? 1) });
}
