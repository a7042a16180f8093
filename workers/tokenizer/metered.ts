/** Runs a step and adds what it has used to its result: operations on the buckets, and its time as an upper bound of CPU time. */
import { Meter } from "../../shared/costs/meter.ts";
import type { Usage } from "../../shared/costs/usage.ts";

export async function metered<T extends object>(env: TokenizerEnv, step: (env: TokenizerEnv) => Promise<T>): Promise<T & { usage: Usage }> {
  const meter = new Meter();
  const startedAt = Date.now();
  const result = await step({ ...env, CORPUS: meter.bucket(env.CORPUS), ARTIFACTS: meter.bucket(env.ARTIFACTS) });
  return { ...result, usage: { ...meter.take(), cpuMilliseconds: Math.max(0, Date.now() - startedAt) } };
}
