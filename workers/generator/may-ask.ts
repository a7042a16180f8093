/**
 * Limits how often isolates ask the registry, a single object, for the active model. Without a limit each isolate would ask every
 * second, and before the first model each request would ask. REGISTRY_LIMIT lets all isolates of a location together ask once a
 * second for each kind of model. So a few isolates notice a new model after a second, and all of them notice it after a minute.
 */
import type { ModelKind } from "../../shared/network-kind.ts";

/** A loaded model is used for this long before the registry is asked for the active model again. */
const RECHECK_MS = 1000;
/** Every isolate asks at least this often, even if the limiter refuses. */
const MAX_AGE_MS = 60_000;

/** True if this request may ask. `checkedAt` is the time of the isolate's last question; null for none. */
export async function mayAsk(env: GeneratorEnv, kind: ModelKind, isLoaded: boolean, checkedAt: number | null): Promise<boolean> {
  if (checkedAt === null || Date.now() - checkedAt >= MAX_AGE_MS) return true;
  if (isLoaded && Date.now() - checkedAt < RECHECK_MS) return false;
  return (await env.REGISTRY_LIMIT.limit({ key: kind === "language" ? "active-model" : `active-${kind}` })).success;
}
