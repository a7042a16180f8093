/** Operations on whole runs: start, branch, lease a task, read a part, delete, collect garbage. */
import type { Hash } from "../../shared/artifacts.ts";
import {
  branchRequestSchema,
  workflowRequestSchema,
  type BranchRequest,
  type StartedRun,
  type WorkflowRequest,
} from "../../shared/contracts/runs.ts";
import { namedError } from "../../shared/errors.ts";
import { checkCpu, estimateTaskCpu } from "../../shared/model/footprint/cpu-time.ts";
import { checkMemory, estimateTaskMemory } from "../../shared/model/footprint/memory.ts";
import { checkReduction, estimateReduction } from "../../shared/model/footprint/subrequests.ts";
import { isDamage } from "../../shared/store.ts";
import { totalRounds } from "../../shared/training/compute/rounds.ts";
import { FIRST_ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import type { Lease, LeaseReply } from "../../shared/training/protocol/task.ts";
import { createInstance, findInstance, UNFINISHED } from "../../shared/workflows.ts";
import { log } from "../../shared/log.ts";
import { deleteObjects, oldKeys, runsWithObjects } from "./checkpoints.ts";
import { readPart, recentPart } from "./parts.ts";
import { checkFields, networkOf, originOf, parseRequest, trainingOf } from "./train-request.ts";

/** Younger objects may belong to a submission in progress. */
const GRACE_SECONDS = 3600;
/** How long a trainer waits for the next round of its run. The slower trainers of the round usually need less time. */
const LEASE_WAIT_MS = 2000;

/** The progress of a run before its Workflow reports. */
const FIRST_STAGE = { stage: "start", done: 0, total: 1 };

const registryOf = (env: CoordinatorEnv) => env.REGISTRY.getByName("registry");

/** The object of an existing run. Throws NotFound for other ids, because calling an object by an unknown name would create it. */
export async function findRun(env: CoordinatorEnv, id: string) {
  if (!(await registryOf(env).hasRun(id))) throw namedError("NotFound", `run: expected the id of a run, got ${id}`);
  return env.RUN.getByName(id);
}

/**
 * Registers a run and starts its Workflow, if this has not happened yet. A Workflow instance is replaced if it ended before
 * its run, or if an earlier run of the same name left it behind. The new instance continues where the run is. A failed
 * preparation is tried again.
 */
async function start(env: CoordinatorEnv, id: string, params: WorkflowRequest): Promise<StartedRun> {
  const run = env.RUN.getByName(id);
  if (await registryOf(env).addRun(id)) await run.prepare(id, FIRST_STAGE);
  // This also runs for registered runs: a crash before this line leaves a run without a Workflow.
  const instance = await findInstance(env.TRAIN, id);
  const { state = "preparing", checkpoint = null, round = null } = (await run.status()) ?? {};
  // Publishing again would activate this model again, although an operator may have activated another model since.
  if (state === "done" && (await registryOf(env).models()).some(({ model }) => model === checkpoint)) return { run: id, workflow: id };
  // The preparation failed. This start succeeds only if the operator has repaired the cause.
  const hasFailedBefore = state === "failed" && round === null;
  if (hasFailedBefore) await run.prepare(id, FIRST_STAGE);
  if (instance === null) await createInstance(env.TRAIN, id, params);
  else {
    const { status } = await instance.status();
    // The local engine forgets a sleeping instance when its process ends. Restarting an instance that is alive does no harm.
    if (UNFINISHED.has(status)) await instance.restart();
    else if (state === "preparing" || hasFailedBefore || (state !== "failed" && status !== "complete")) {
      // A restart would use the request of the earlier run.
      await instance.delete();
      await createInstance(env.TRAIN, id, params);
    }
  }
  return { run: id, workflow: id };
}

export async function trainRun(env: CoordinatorEnv, request: WorkflowRequest, requestId?: string): Promise<StartedRun> {
  const parsed = parseRequest(workflowRequestSchema, request);
  // If the request names a dataset, the vocabulary is that of the dataset, and the limits are checked when the run begins, as for
  // a new classifier, whose labels come with its lessons. Otherwise the size is known here, so the limits are checked here.
  const training = trainingOf(parsed);
  checkFields(parsed, training);
  const origin = await originOf(env, parsed);
  const model = origin?.model ?? networkOf(parsed, null);
  if (parsed.dataset === undefined && model !== null) {
    checkMemory(estimateTaskMemory(model, training));
    checkReduction(estimateReduction(model, training));
    checkCpu(estimateTaskCpu(model, training, await registryOf(env).cpuRate()));
  }
  const run = parsed.name ?? crypto.randomUUID();
  log("info", "a run was asked for", { request: requestId, run });
  return start(env, run, parsed);
}

export async function branchRun(env: CoordinatorEnv, id: string, request: BranchRequest): Promise<StartedRun> {
  const { name, checkpoint, tokens, lrScale, supervision } = parseRequest(branchRequestSchema, request);
  const { spec } = await (await findRun(env, id)).branchPoint(checkpoint);
  const rounds = totalRounds({ ...spec.training, tokens: tokens ?? spec.training.tokens }, spec.model);
  if (tokens !== undefined && rounds < spec.rounds && tokens < spec.training.tokens)
    throw namedError("InvalidInput", `tokens: expected at least the ${spec.training.tokens} of run ${id}, got ${tokens}`);
  return start(env, name ?? crypto.randomUUID(), {
    preset: spec.preset,
    tokens: tokens ?? spec.training.tokens,
    supervision,
    branch: { run: id, ...(checkpoint === undefined ? {} : { checkpoint }), lrScale },
  });
}

/** A trainer that asks for a task of any run. */
export interface Asking {
  trainer: string;
  /** The run that the trainer last worked for. */
  run?: string;
  /** The trainer's version of the arithmetic; absent in the first. */
  arithmetic?: number;
}

/**
 * Leases a task of the run that the trainer last worked for; else of the oldest run with a task; else of the first run's next
 * round, if that round begins soon. A trainer pays one call per round, however many runs there are. Throws Conflict for a
 * trainer with another version of the arithmetic.
 */
export async function leaseTask(env: CoordinatorEnv, asking: Asking): Promise<Lease | null> {
  const { trainer, run, arithmetic } = asking;
  const own = run === undefined ? null : await leaseOf(env, run, asking, 0);
  if (own?.lease) return own.lease;
  let other = own?.otherArithmetic;
  for (const id of await registryOf(env).runs("open")) {
    if (id === run) continue;
    const { lease, otherArithmetic } = await leaseOf(env, id, asking, 0);
    if (lease !== null) return lease;
    other ??= otherArithmetic;
  }
  if (other !== undefined)
    throw namedError(
      "Conflict",
      `trainer ${trainer}: expected arithmetic ${other}, got ${arithmetic ?? FIRST_ARITHMETIC}; update the trainer or ask again later`,
    );
  return run === undefined || own?.over ? null : (await leaseOf(env, run, asking, LEASE_WAIT_MS)).lease;
}

async function leaseOf(env: CoordinatorEnv, id: string, { trainer, arithmetic }: Asking, waitMs: number): Promise<LeaseReply> {
  try {
    // A trainer may ask many runs in one call, so each answer is disposed of.
    using reply = await env.RUN.getByName(id).lease(trainer, waitMs, arithmetic);
    const { lease, over, otherArithmetic } = reply;
    return { lease, over, ...(otherArithmetic === undefined ? {} : { otherArithmetic }) };
  } catch (error) {
    // An error in one run must not keep trainers from other runs.
    log("error", `no lease: ${(error as Error).message}`, { run: id });
    return { lease: null, over: true };
  }
}

/** Rouses every open run. This repairs alarms and hints that the platform has lost. */
export async function rouseRuns(env: CoordinatorEnv): Promise<void> {
  for (const id of await registryOf(env).runs("open")) {
    await env.RUN.getByName(id)
      .rouse()
      .catch((error: Error) => log("error", `not roused: ${error.message}`, { run: id }));
  }
}

/** Reads and checks a part of a run. Reports damage to the run. Throws MissingObject, CorruptObject. */
export async function readRunPart(env: CoordinatorEnv, hash: Hash, run: string): Promise<ReadableStream | Uint8Array<ArrayBuffer>> {
  try {
    // A reader can read a stream into its own buffer; a message would allocate a new buffer.
    return recentPart(hash, run) ?? new Response(await readPart(env.ARTIFACTS, hash, run)).body!;
  } catch (error) {
    if (isDamage(error) && (await registryOf(env).hasRun(run))) await env.RUN.getByName(run).damaged(hash);
    throw error;
  }
}

/** Ends a run and deletes it with all its objects. Its published models stay. */
export async function deleteRun(env: CoordinatorEnv, id: string): Promise<void> {
  const run = await findRun(env, id);
  const workflow = await findInstance(env.TRAIN, id);
  // The instance is deleted, not only ended, because the next run of this name needs a new instance.
  await workflow?.delete();
  await run.destroy(id);
  await registryOf(env).removeRun(id);
}

/**
 * Deletes objects that no state names and that are older than the grace time, including objects that trainers wrote for
 * deleted runs.
 */
export async function collectGarbage(env: CoordinatorEnv, graceSeconds = GRACE_SECONDS): Promise<{ objects: number }> {
  const before = Date.now() - graceSeconds * 1000;
  // Objects are listed before the registry is read. A run is registered before it writes its first object, so no new run looks
  // deleted.
  const withObjects = await runsWithObjects(env.ARTIFACTS);
  const runs = await registryOf(env).runs();
  let objects = 0;
  for (const id of runs) objects += await env.RUN.getByName(id).collectGarbage(id, graceSeconds * 1000);
  for (const id of withObjects.filter((each) => !runs.includes(each))) {
    const keys = await oldKeys(env.ARTIFACTS, id, before);
    // A new run may have taken the name meanwhile.
    if (await registryOf(env).hasRun(id)) continue;
    await deleteObjects(env.ARTIFACTS, keys);
    objects += keys.length;
  }
  return { objects };
}
