/** Health of the Workers: all are asked at once, with a time limit each. */
import type { Health } from "../../shared/contracts/health.ts";

const TIMEOUT_MS = 5000;

export async function health(env: GatewayEnv): Promise<Health> {
  const asked: Record<string, Promise<{ ok: true }>> = {
    collector: env.COLLECTOR.health(),
    tokenizer: env.TOKENIZER.health(),
    coordinator: env.COORDINATOR.health(),
    trainer: env.TRAINER.health(),
    generator: env.GENERATOR.health(),
    feedback: env.FEEDBACK.health(),
  };
  const late = new Promise<"down">((resolve) => setTimeout(() => resolve("down"), TIMEOUT_MS));
  const states = await Promise.all(
    Object.entries(asked).map(async ([name, call]) => {
      const answer = call.then(
        () => "up" as const,
        () => "down" as const,
      );
      return [name, await Promise.race([answer, late])] as const;
    }),
  );
  const parts = Object.fromEntries(states);
  const active = parts["coordinator"] === "up" ? await env.COORDINATOR.activeModel().catch(() => null) : null;
  return { ok: states.every(([, state]) => state === "up"), model: active?.model ?? null, parts: { gateway: "up", ...parts } };
}
