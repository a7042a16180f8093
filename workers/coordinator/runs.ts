/** What can be done with runs as a whole: start, branch, find work in, delete, clean up. */
import { presetOf } from "../../shared/config.ts";
import { namedError } from "../../shared/errors.ts";
import { checkMemory, estimateTaskMemory } from "../../shared/model/memory.ts";
import { totalRounds } from "../../shared/training/rounds.ts";
import type { Lease } from "../../shared/training/task.ts";
import {
  branchRequestSchema,
  parseRequest,
  trainingOf,
  trainRequestSchema,
  type BranchRequest,
  type TrainRequest,
} from "./train-request.ts";

/** Objects younger than this may belong to a submission that is under way. */
const GRACE_SECONDS = 3600;

const registryOf = (env: CoordinatorEnv) => env.REGISTRY.getByName("registry");

/** The object of a run that exists. Throws NotFound: asking an object by an unknown name would make one. */
export async function findRun(env: CoordinatorEnv, id: string) {
  if (!(await registryOf(env).hasRun(id))) throw namedError("NotFound", `run: expected the id of a run, got ${id}`);
  return env.RUN.getByName(id);
}

/** Registers a run and starts its Workflow; both may have happened before. */
async function start(env: CoordinatorEnv, id: string, params: TrainRequest): Promise<{ run: string; workflow: string }> {
  const run = env.RUN.getByName(id);
  if ((await run.status()) === null) {
    await registryOf(env).addRun(id);
    await run.prepare(id, { stage: "start", done: 0, total: 1 });
  }
  // Not inside the branch: a crash between the two would leave a run that nobody drives.
  const known = await env.TRAIN.get(id).then(
    () => true,
    () => false,
  );
  if (!known) await env.TRAIN.create({ id, params });
  return { run: id, workflow: id };
}

export async function trainRun(env: CoordinatorEnv, request: TrainRequest): Promise<{ run: string; workflow: string }> {
  const parsed = parseRequest(trainRequestSchema, request);
  try {
    presetOf(parsed.preset);
  } catch (error) {
    throw namedError("InvalidInput", (error as Error).message);
  }
  // A dataset brings its own vocabulary and is looked at when the run begins; what is known now is refused now.
  const preset = presetOf(parsed.preset);
  if (parsed.dataset === undefined) {
    checkMemory(estimateTaskMemory({ ...preset.model, vocabSize: parsed.vocabSize ?? preset.vocabSize }, trainingOf(parsed)));
  }
  return start(env, parsed.name ?? crypto.randomUUID(), parsed);
}

export async function branchRun(env: CoordinatorEnv, id: string, request: BranchRequest): Promise<{ run: string; workflow: string }> {
  const { name, checkpoint: wanted, tokens, lrScale, supervision } = parseRequest(branchRequestSchema, request);
  const source = await findRun(env, id);
  const { spec, checkpoint } = await source.branchPoint(wanted);
  const rounds = totalRounds({ ...spec.training, tokens: tokens ?? spec.training.tokens }, spec.model);
  if (tokens !== undefined && rounds < spec.rounds && tokens < spec.training.tokens)
    throw namedError("InvalidInput", `tokens: expected at least the ${spec.training.tokens} of run ${id}, got ${tokens}`);
  return start(env, name ?? crypto.randomUUID(), {
    preset: spec.preset,
    tokens: tokens ?? spec.training.tokens,
    supervision,
    branch: { run: id, checkpoint, lrScale },
  });
}

/** A task of the named run, or of the oldest run that has one. */
export async function leaseTask(env: CoordinatorEnv, { trainer, run }: { trainer: string; run?: string }): Promise<Lease | null> {
  const ids = run === undefined ? await registryOf(env).runs("open") : [run];
  for (const id of ids) {
    const object = env.RUN.getByName(id);
    try {
      const lease = await object.lease(trainer);
      if (lease !== null) return lease;
      if (await object.isOver()) await registryOf(env).setOpen(id, false);
    } catch (error) {
      // A run in trouble must not keep trainers from the others.
      // oxlint-disable-next-line no-console -- the only trace of it
      console.error(`run ${id}: no lease: ${(error as Error).message}`);
    }
  }
  return null;
}

/** Ends a run and deletes it with all its objects. A model that it has published stays. */
export async function deleteRun(env: CoordinatorEnv, id: string): Promise<void> {
  const run = await findRun(env, id);
  const workflow = await env.TRAIN.get(id).catch(() => null);
  // A Workflow that has ended cannot be terminated, which is what is wanted.
  await workflow?.terminate().catch(() => undefined);
  await run.destroy(id);
  await registryOf(env).removeRun(id);
}

export async function collectGarbage(env: CoordinatorEnv, graceSeconds = GRACE_SECONDS): Promise<{ objects: number }> {
  let objects = 0;
  for (const id of await registryOf(env).runs()) objects += await env.RUN.getByName(id).collectGarbage(id, graceSeconds * 1000);
  return { objects };
}
