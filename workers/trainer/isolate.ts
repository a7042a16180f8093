/** The state that one isolate of the trainer keeps between invocations: its name, its cached objects, and the turn to work. */
import { Meter } from "../../shared/costs/meter.ts";
import { MAX_CPU_SECONDS } from "../../shared/limits.ts";
import type { Lease, TrainerReport } from "../../shared/training/protocol/task.ts";
import { ObjectCache } from "./object-cache.ts";
import { BucketObjects, CoordinatorObjects } from "./object-source.ts";

let cache: ObjectCache | null = null;
const meter = new Meter();
let name: string | null = null;

/**
 * True in the trainer processes of a local Tiffin. They work after POST /work, and have no access to the coordinator's bucket.
 */
export const isWorkLoop = (env: TrainerEnv): boolean => (env.WORK_LOOP as string) === "on";

export function objectsOf(env: TrainerEnv): ObjectCache {
  cache ??= new ObjectCache(
    isWorkLoop(env)
      ? new CoordinatorObjects(env.COORDINATOR)
      : new BucketObjects(meter.bucket(env.ARTIFACTS), (hash, run) => env.RUN.getByName(run).damaged(hash)),
  );
  return cache;
}

/** The number of operations that this isolate made on the bucket since the last call. */
export function takeOperations(): Pick<TrainerReport, "classA" | "classB"> {
  const { r2ClassA: classA = 0, r2ClassB: classB = 0 } = meter.take();
  return { classA, classB };
}

/**
 * A trainer's name: the Worker's name and a random suffix. Each isolate has its own, because the coordinator judges each isolate
 * on its own. The name is made on first use, because random values exist only inside requests.
 */
export function trainerName(env: TrainerEnv): string {
  name ??= `${env.TRAINER_NAME}-${crypto.randomUUID().slice(0, 8)}`;
  return name;
}

/** Extra time of a turn: before its first lease, while it waits, and after the end of its lease. */
const MARGIN_MS = 30_000;

/** The turn to work. While an invocation holds it, no other invocation of the isolate computes. */
export class Turn {
  #until = Date.now() + MARGIN_MS;

  /** Holds the turn for as long as the lease lasts, but not longer than an invocation can run. */
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
 * Runs `work`, or returns null if another invocation of this isolate is working: two invocations would share one thread and
 * need twice the memory. If the platform kills an invocation, its `finally` never runs, and the isolate may live on. Therefore
 * a turn ends with its lease. After that another trainer computes the task anyway.
 */
export async function oneAtATime<T>(work: (turn: Turn) => Promise<T>): Promise<T | null> {
  if (current !== null && !current.isOver) return null;
  const own = new Turn();
  current = own;
  try {
    return await work(own);
  } finally {
    // After the end of this turn, a later invocation may have taken the next turn.
    if (current === own) current = null;
  }
}
