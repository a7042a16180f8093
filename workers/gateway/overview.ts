/**
 * The state of the whole pipeline, for the pages of all visitors. Each isolate collects it at most once a second, however many
 * visitors ask. Each part has its own time limit and is null if its Worker fails or is late.
 */
import type { Overview } from "../../shared/contracts/overview.ts";
import { namedError } from "../../shared/errors.ts";
import { createCachedLook } from "./cached-look.ts";
import { health } from "./health.ts";

const TIMEOUT_MS = 3000;
const FRESH_MS = 1000;

const cached = createCachedLook<Overview>({
  freshMs: FRESH_MS,
  patienceMs: 2 * TIMEOUT_MS,
  now: Date.now,
  wait: (ms) => scheduler.wait(ms),
});

/** Throws Busy if no overview is known and the rate limit forbids a new one. */
export async function overview(env: GatewayEnv): Promise<Overview> {
  const seen = await cached(async () => ((await env.HEALTH_LIMIT.limit({ key: "overview" })).success ? look(env) : null));
  if (seen === null) throw namedError("Busy", "too many overviews: try again in a second");
  return seen;
}

async function look(env: GatewayEnv): Promise<Overview> {
  const late = scheduler.wait(TIMEOUT_MS).then(() => null);
  const orNull = <T>(part: Promise<T>): Promise<T | null> => Promise.race([part.catch(() => null), late]);
  const [state, corpus, training, feedback] = await Promise.all([
    orNull(health(env)),
    orNull(env.COLLECTOR.totals()),
    orNull(env.COORDINATOR.totals()),
    orNull(env.FEEDBACK.totals()),
  ]);
  return { parts: state?.parts ?? { gateway: "up" }, corpus, training, feedback, checkedAt: new Date().toISOString() };
}
