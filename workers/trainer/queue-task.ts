/**
 * Handles a message of the `steps` queue: one task, then the invocation ends. A queue adds consumers only when batches end
 * (developers.cloudflare.com/queues/configuration/consumer-concurrency/). If an invocation went on to the next task, no other
 * trainer could start. The run sends one message for each task that no trainer waits for.
 */
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import type { Lease, Submission, SubmissionReply } from "../../shared/training/protocol/task.ts";
import { log, stackOf } from "../../shared/log.ts";
import { computeTask } from "./compute-task.ts";
import { isWorkLoop, objectsOf, oneAtATime, takeOperations, trainerName } from "./isolate.ts";

/** A busy isolate returns the message to the queue. After this time the queue delivers it again, perhaps to another isolate. */
const RETRY_SECONDS = 5;
/** A trainer of another version leaves a message to a later one. A deployment reaches every object within five minutes. */
const OTHER_VERSION_RETRY_SECONDS = 30;

/** Waits before each retry of a failed submission: the Run object may be restarting. A repeated submission counts once. */
const SUBMIT_RETRY_MS = [500, 2000, 5000] as const;

async function submit(env: TrainerEnv, submission: Submission): Promise<SubmissionReply & Disposable> {
  for (let attempt = 0; ; attempt++) {
    try {
      // A stub that has thrown stays broken, so each attempt makes a new stub.
      return await env.RUN.getByName(submission.run).submit(submission);
    } catch (error) {
      const wait = SUBMIT_RETRY_MS[attempt];
      if (wait === undefined) throw error;
      await scheduler.wait(wait);
    }
  }
}

/** Lets another trainer have the task at once. Never throws: without this call the lease expires, and the run's alarm sends another message. */
async function giveBack(env: TrainerEnv, { id, task: { run, shard } }: Lease): Promise<void> {
  try {
    await env.RUN.getByName(run).release(shard, id);
  } catch (error) {
    log("error", `not given back: ${(error as Error).message}`, { run, shard });
  }
}

export async function takeMessage(env: TrainerEnv, message: Message<{ run: string }>): Promise<void> {
  // In a work loop, POST /work asks for tasks, so messages are ignored.
  if (isWorkLoop(env)) return;
  const { run } = message.body;
  const waitedMs = Math.max(0, Date.now() - message.timestamp.getTime());
  const hasWorked = await oneAtATime(async (turn) => {
    await startBackend();
    // This calls the Run object instead of the coordinator's RPC, because an invocation may call few Workers.
    const trainer = trainerName(env);
    using given = await env.RUN.getByName(run).lease(trainer, 0, ARITHMETIC);
    const { lease, otherArithmetic } = given;
    if (otherArithmetic !== undefined) {
      log("warn", `no lease: expected arithmetic ${otherArithmetic}, this trainer has ${ARITHMETIC}; the message comes again`, {
        run,
        trainer,
      });
      message.retry({ delaySeconds: OTHER_VERSION_RETRY_SECONDS });
      return true;
    }
    // A message is only a hint: another trainer may have taken the task.
    if (lease === null) return true;
    turn.hold(lease);
    const { round, shard } = lease.task;
    const ids = { run, round, shard, trainer };
    try {
      const submission = await computeTask(lease, trainer, objectsOf(env));
      using reply = await submit(env, { ...submission, report: { ...takeOperations(), waitedMs } });
      if (!reply.accepted) log("warn", `refused: ${reply.reason}`, ids);
    } catch (error) {
      log("error", (error as Error).message, { ...ids, ...stackOf(error) });
      await giveBack(env, lease);
    }
    return true;
  });
  if (hasWorked === null) message.retry({ delaySeconds: RETRY_SECONDS });
}
