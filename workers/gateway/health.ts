/**
 * Checks the health of the Workers. One check calls all of them at once, each with a time limit, and its result answers every
 * request of the next second. The route is public, so HEALTH_LIMIT limits how often all isolates of a location check.
 */
import type { Health } from "../../shared/contracts/health.ts";
import { namedError } from "../../shared/errors.ts";
import { createCachedLook } from "./cached-look.ts";

const TIMEOUT_MS = 5000;
const FRESH_MS = 1000;

const cached = createCachedLook<Health>({ freshMs: FRESH_MS, patienceMs: TIMEOUT_MS, now: Date.now, wait: (ms) => scheduler.wait(ms) });

/**
 * The health, at most a second old. If HEALTH_LIMIT forbids a new check, the last known health. Throws Busy if no health is
 * known.
 */
export async function health(env: GatewayEnv): Promise<Health> {
  const state = await cached(async () => ((await env.HEALTH_LIMIT.limit({ key: "look" })).success ? look(env) : null));
  if (state === null) throw namedError("Busy", "too many health checks: try again in a second");
  return state;
}

async function look(env: GatewayEnv): Promise<Health> {
  let model: string | null = null;
  const asked: Record<string, Promise<unknown>> = {
    collector: env.COLLECTOR.health(),
    tokenizer: env.TOKENIZER.health(),
    coordinator: env.COORDINATOR.health().then((answer) => {
      ({ model } = answer);
    }),
    trainer: env.TRAINER.health(),
    generator: env.GENERATOR.health(),
    feedback: env.FEEDBACK.health(),
  };
  const late = scheduler.wait(TIMEOUT_MS).then(() => "down" as const);
  const states = await Promise.all(
    Object.entries(asked).map(async ([name, call]) => {
      const answer = call.then(
        () => "up" as const,
        () => "down" as const,
      );
      return [name, await Promise.race([answer, late])] as const;
    }),
  );
  const ok = states.every(([, state]) => state === "up");
  return { ok, model, parts: { gateway: "up", ...Object.fromEntries(states) }, checkedAt: new Date().toISOString() };
}
