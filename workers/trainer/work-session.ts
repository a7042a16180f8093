/**
 * The work loop of a local Tiffin's trainer processes: lease a task, compute it, submit it. The session ends after a while
 * without tasks, or at its limits. An error ends only its task, and another trainer gets the task.
 */
import { MAX_CPU_SECONDS, MAX_SUBREQUESTS } from "../../shared/limits.ts";
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import { log } from "../../shared/log.ts";
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import { trainerName, type Turn } from "./isolate.ts";
import { workOn } from "./leased-task.ts";

/** A session ends after this many empty answers in a row. */
const MAX_IDLE_POLLS = 20;
const IDLE_POLL_MS = 100;
/** The wait of a trainer whose version of the arithmetic is not the coordinator's: a deployment takes minutes. */
const OTHER_VERSION_MS = 5000;
/**
 * A session takes tasks for this long. A Worker's clock stands still while it computes and is set right by the coordinator's
 * answer. So at each lease the used CPU time is at most the elapsed time, and half of the limit is left for the last task.
 */
const SESSION_MS = (MAX_CPU_SECONDS * 1000) / 2;
/** The most leases of a session. A lease with its submission and a few parts takes about ten requests. */
const MAX_LEASES = MAX_SUBREQUESTS / 10;
const MAX_FAILURES = 3;

/** Works until the session ends. Returns the number of submitted tasks. */
export async function work(env: TrainerEnv, turn: Turn): Promise<number> {
  const startedAt = Date.now();
  await startBackend();
  const trainer = trainerName(env);
  let tasks = 0;
  let idle = 0;
  let failures = 0;
  /** The run of the last task; undefined if that run has no more tasks. */
  let run: string | undefined;
  for (let leases = 0; leases < MAX_LEASES && Date.now() - startedAt < SESSION_MS; leases++) {
    if (idle === MAX_IDLE_POLLS || failures === MAX_FAILURES) break;
    turn.wait();
    const asking = { trainer, arithmetic: ARITHMETIC, ...(run === undefined ? {} : { run }) };
    // A session makes many calls, so it disposes of each result as soon as it is done with it.
    using lease = await env.COORDINATOR.lease(asking).catch(async (error: Error) => {
      // The coordinator may be restarting. The session waits, as if there were no task.
      log("warn", `no lease: ${error.message}`, { trainer });
      if (error.name === "Conflict") await scheduler.wait(OTHER_VERSION_MS);
      return null;
    });
    run = lease?.task.run;
    if (lease === null) {
      idle++;
      await scheduler.wait(IDLE_POLL_MS);
      continue;
    }
    idle = 0;
    turn.hold(lease);
    const outcome = await workOn(env, lease, trainer);
    if (outcome === "accepted") tasks++;
    else if (outcome === "failed") failures++;
  }
  return tasks;
}
