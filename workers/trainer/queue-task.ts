/**
 * Handles a message of the `steps` queue: one task, then the invocation ends. A queue adds consumers only when batches end
 * (developers.cloudflare.com/queues/configuration/consumer-concurrency/). If an invocation went on to the next task, no other
 * trainer could start. The run sends one message for each task that no trainer waits for.
 */
import { startBackend } from "../../shared/tensor/engine/backend.ts";
import { ARITHMETIC } from "../../shared/training/protocol/arithmetic.ts";
import { log } from "../../shared/log.ts";
import { isWorkLoop, oneAtATime, trainerName } from "./isolate.ts";
import { workOn } from "./leased-task.ts";

/** A busy isolate returns the message to the queue. After this time the queue delivers it again, perhaps to another isolate. */
const RETRY_SECONDS = 5;
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
      // The run's next alarm sends a new message. A returned message would come back beside it, and such messages would pile up
      // until the deployment ends.
      log("warn", `no lease: expected arithmetic ${otherArithmetic}, this trainer has ${ARITHMETIC}`, { run, trainer });
      return true;
    }
    // A message is only a hint: another trainer may have taken the task.
    if (lease === null) return true;
    turn.hold(lease);
    await workOn(env, lease, trainer, waitedMs);
    return true;
  });
  if (hasWorked === null) message.retry({ delaySeconds: RETRY_SECONDS });
}
