/** What the Workflows share: which errors end them, how they wait for a run, and how their instances are found and created. */

/** Errors that the operator must repair. Infrastructure failures pass soon, so other errors are tried again. */
const FINAL_ERRORS: ReadonlySet<string> = new Set(["NotFound", "InvalidInput", "MissingObject"]);

/** True for an error that ends a Workflow. */
export const isFinal = (error: unknown): boolean => FINAL_ERRORS.has((error as Error).name);

/** Why a Workflow ended: the error's message without the name that the engine puts before it. */
export const reasonOf = (error: unknown): string => (error as Error).message.replace(/^NonRetryableError: /, "");

/**
 * A Workflow polls its run. The first wait is one second. Each further wait is 2 % longer, up to an hour, so the end of a
 * run is noticed late by at most 2 % of its time. An instance has 1,024 steps (10,000 on the paid plan); sleeps do not count
 * (developers.cloudflare.com/workflows/reference/limits/). Poll n comes after 50 (1.02^n - 1) seconds. The wait reaches one
 * hour after 414 polls and two days. After that there are 24 polls a day, so 1,000 polls last for 26 days.
 */
const FIRST_WAIT_MS = 1000;
const WAIT_GROWTH = 1.02;
const MAX_WAIT_MS = 3_600_000;

/** Milliseconds to wait after poll `index`, from 0 on. */
export const waitAfter = (index: number): number => Math.min(MAX_WAIT_MS, Math.round(FIRST_WAIT_MS * WAIT_GROWTH ** index));

/** States of an instance that has not ended. */
export const UNFINISHED: ReadonlySet<string> = new Set(["queued", "running", "waiting", "waitingForPause", "paused", "unknown"]);

/** The instance with this id; null if there is none. */
export const findInstance = <T>(workflow: Workflow<T>, id: string): Promise<WorkflowInstance | null> => workflow.get(id).catch(() => null);

/** Creates an instance. If a simultaneous call has created it, does nothing. */
export async function createInstance<T>(workflow: Workflow<T>, id: string, params: T): Promise<void> {
  try {
    await workflow.create({ id, params });
  } catch (error) {
    if ((await findInstance(workflow, id)) === null) throw error;
  }
}
