/**
 * Works on a lease, whether a queue message or a work loop brought it: computes the task and submits the result. A task that
 * fails is given back, so that another trainer gets it at once.
 */
import { log, stackOf } from "../../shared/log.ts";
import type { Lease, Submission, SubmissionReply } from "../../shared/training/protocol/task.ts";
import { computeTask } from "./compute-task.ts";
import { isWorkLoop, objectsOf, takeOperations } from "./isolate.ts";

/** Waits before each retry of a failed submission: the Run object may be restarting. A repeated submission counts once. */
const SUBMIT_RETRY_MS = [500, 2000, 5000] as const;

/** The calls that end a lease. */
interface Leasing {
  submit(submission: Submission): Promise<SubmissionReply & Disposable>;
  release(shard: number, lease: string): Promise<void>;
}

/**
 * A deployed trainer calls the Run object instead of the coordinator's RPC, because an invocation may call few Workers. The
 * trainer processes of a local Tiffin can only call the coordinator. A stub that has thrown stays broken, so each call makes a
 * new stub.
 */
function leasingOf(env: TrainerEnv, run: string): Leasing {
  if (!isWorkLoop(env)) return env.RUN.getByName(run);
  return {
    submit: (submission) => env.COORDINATOR.submit(submission),
    release: (shard, lease) => env.COORDINATOR.release(run, shard, lease),
  };
}

async function submit(env: TrainerEnv, submission: Submission): Promise<SubmissionReply & Disposable> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await leasingOf(env, submission.run).submit(submission);
    } catch (error) {
      const wait = SUBMIT_RETRY_MS[attempt];
      if (wait === undefined) throw error;
      await scheduler.wait(wait);
    }
  }
}

/**
 * Gives a task back to the run. Never throws: if the call fails, the lease expires, and the run's alarm sends another message.
 */
async function giveBack(env: TrainerEnv, { id, task: { run, shard } }: Lease): Promise<void> {
  try {
    await leasingOf(env, run).release(shard, id);
  } catch (error) {
    log("error", `not given back: ${(error as Error).message}`, { run, shard });
  }
}

/**
 * Works on a leased task until it is submitted or given back. `waitedMs` is the time that the lease's queue message waited. Never
 * throws.
 */
export async function workOn(
  env: TrainerEnv,
  lease: Lease,
  trainer: string,
  waitedMs?: number,
): Promise<"accepted" | "refused" | "failed"> {
  const { run, round, shard } = lease.task;
  const ids = { run, round, shard, trainer };
  try {
    const submission = await computeTask(lease, trainer, objectsOf(env));
    const report = waitedMs === undefined ? {} : { report: { ...takeOperations(), waitedMs } };
    using reply = await submit(env, { ...submission, ...report });
    if (!reply.accepted) log("warn", `refused: ${reply.reason}`, ids);
    return reply.accepted ? "accepted" : "refused";
  } catch (error) {
    log("error", (error as Error).message, { ...ids, ...stackOf(error) });
    await giveBack(env, lease);
    return "failed";
  }
}
