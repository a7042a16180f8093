/** Makes the first state of a run: checks its limits, then writes the first checkpoint or copies it from another run or a model. */
import type { Hash } from "../../shared/artifacts.ts";
import { namedError } from "../../shared/errors.ts";
import { checkCpu, estimateEvaluationCpu, estimateTaskCpu } from "../../shared/model/footprint/cpu-time.ts";
import { checkMemory, estimateTaskMemory } from "../../shared/model/footprint/memory.ts";
import { checkReduction, estimateReduction } from "../../shared/model/footprint/subrequests.ts";
import { initialState, type Base, type RunSpec, type RunState } from "../../shared/training/protocol/run-state.ts";
import { copyPublished } from "./checkpoints.ts";
import { firstCheckpoint, putCheckpoint } from "./reduce.ts";

/** The run and checkpoint at which a branch begins. Without `checkpoint`: the newest kept checkpoint. */
export interface BranchOrigin {
  run: string;
  checkpoint?: Hash | undefined;
  lrScale?: number;
}

/** The published model whose weights the run begins with. */
export interface PublishedOrigin {
  model: Hash;
  lrScale: number;
}

/** Throws InvalidInput if no trainer could work on the spec, NotFound if the origin does not exist. */
export async function firstState(env: CoordinatorEnv, spec: RunSpec, from?: BranchOrigin | PublishedOrigin): Promise<RunState> {
  const { training } = spec;
  if (training.steps === 1 && training.shards > training.batch)
    throw namedError("InvalidInput", `shards: expected at most ${training.batch}, one sequence each, got ${training.shards}`);
  checkMemory(estimateTaskMemory(spec.model, training));
  checkReduction(estimateReduction(spec.model, training));
  const cpuRate = await env.REGISTRY.getByName("registry").cpuRate();
  checkCpu(estimateTaskCpu(spec.model, training, cpuRate));
  checkCpu(estimateEvaluationCpu(spec.model, training, spec.valTokens ?? 0, cpuRate));
  const base = await firstBase(env, spec, from);
  if (base.round >= spec.rounds)
    throw namedError("InvalidInput", `tokens: expected more than the ${base.tokens} that the checkpoint has seen, got ${training.tokens}`);
  return initialState({ ...spec, cpuRate }, base);
}

function firstBase(env: CoordinatorEnv, spec: RunSpec, from: BranchOrigin | PublishedOrigin | undefined): Promise<Base> {
  if (from === undefined) return firstCheckpoint(env.ARTIFACTS, spec);
  return "model" in from ? publishedCheckpoint(env, spec, from) : branchedCheckpoint(env, spec, from);
}

/** A checkpoint of round 0: a published model's weights with the data and settings of this run. */
async function publishedCheckpoint({ ARTIFACTS }: CoordinatorEnv, spec: RunSpec, { model, lrScale }: PublishedOrigin): Promise<Base> {
  const weights = await copyPublished(ARTIFACTS, model, spec.run);
  const inner = Array.from({ length: spec.training.shards }, () => null);
  return putCheckpoint(ARTIFACTS, spec, { round: 0, tokens: 0, lrScale, weights, outer: null, inner });
}

async function branchedCheckpoint(env: CoordinatorEnv, spec: RunSpec, from: BranchOrigin): Promise<Base> {
  const base = await env.RUN.getByName(from.run).copyTo(spec.run, from.checkpoint);
  return putCheckpoint(env.ARTIFACTS, spec, { ...base, lrScale: base.lrScale * (from.lrScale ?? 1) });
}
