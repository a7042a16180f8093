/** What one isolate of the trainer keeps between invocations: its name, its objects, and the turn to work. */
import { MAX_CPU_SECONDS } from "../../shared/limits.ts";
import type { Lease } from "../../shared/training/protocol/task.ts";
import { ObjectCache } from "./object-cache.ts";
import { BucketObjects, CoordinatorObjects } from "./object-source.ts";

let cache: ObjectCache | null = null;
let name: string | null = null;

/** True in further local processes, which POST /work keeps at work and which have no access to the coordinator's bucket. */
export const isWorkLoop = (env: TrainerEnv): boolean => (env.WORK_LOOP as string) === "on";

export function objectsOf(env: TrainerEnv): ObjectCache {
  cache ??= new ObjectCache(
    isWorkLoop(env)
      ? new CoordinatorObjects(env.COORDINATOR)
      : new BucketObjects(env.ARTIFACTS, (hash, run) => env.RUN.getByName(run).damaged(hash)),
  );
  return cache;
}

/** All isolates of one Worker share its name, and each is trusted by itself. Random values exist only inside requests. */
export function trainerName(env: TrainerEnv): string {
  name ??= `${env.TRAINER_NAME}-${crypto.randomUUID().slice(0, 8)}`;
  return name;
}

/** How long an invocation holds its turn before it has a lease, and after the end of its lease. */
const MARGIN_MS = 30_000;

/** The turn to work: while an invocation holds it, no other invocation of the isolate computes. */
export class Turn {
  #until = Date.now() + MARGIN_MS;

  /** Holds the turn while a lease lasts, and no longer than an invocation can. */
  hold({ expiresAt }: Lease): void {
    this.#until = Math.min(expiresAt, Date.now() + 1000 * MAX_CPU_SECONDS) + MARGIN_MS;
  }

  get isOver(): boolean {
    return Date.now() >= this.#until;
  }

  /** Holds the turn for a short while without a lease. */
  wait(): void {
    this.#until = Date.now() + MARGIN_MS;
  }
}

let current: Turn | null = null;

/**
 * Runs `work` unless another invocation of this isolate works already, and returns null then: two would share one thread and
 * need twice the memory. An invocation that the platform kills never reaches its `finally`, and its isolate may live on;
 * so a turn ends with its lease, after which another trainer redoes the task anyway.
 */
export async function oneAtATime<T>(work: (turn: Turn) => Promise<T>): Promise<T | null> {
  if (current !== null && !current.isOver) return null;
  const own = new Turn();
  current = own;
  try {
    return await work(own);
  } finally {
    // A later invocation may have taken over from this one after its turn was over.
    if (current === own) current = null;
  }
}
