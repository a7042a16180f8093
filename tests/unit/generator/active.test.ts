/** The active model of a kind in an isolate: how requests share it, and what they get while it changes. */
import { scheduler } from "node:timers/promises";
import { beforeEach, expect, test, vi } from "vitest";
import { Active } from "../../../workers/generator/active.ts";

let now = Date.UTC(2026, 11, 1);
beforeEach(() => {
  vi.stubGlobal("scheduler", scheduler);
  vi.spyOn(Date, "now").mockImplementation(() => now);
});

/** An isolate whose limiter refuses every question after the first, and a registry whose active model can be changed. */
function isolate(load: (hash: string) => Promise<void>) {
  const registry: { active: string | null } = { active: null };
  const env = {
    COORDINATOR: {
      activeModel: async () => registry.active && { model: registry.active, [Symbol.dispose]: () => undefined },
    },
    REGISTRY_LIMIT: { limit: async () => ({ success: false }) },
  } as unknown as GeneratorEnv;
  const replaced: (string | null)[] = [];
  const active = new Active({
    kind: "classifier",
    async load(_, { model: hash }) {
      await load(hash);
      return { hash };
    },
    afterAsking: (old) => replaced.push(old?.hash ?? null),
    none: "no classifier yet",
  });
  return { registry, replaced, hash: async () => (await active.current(env)).hash };
}

test("requests that come while the first model is loaded get it, and it is loaded once", async () => {
  const loads: string[] = [];
  const { registry, hash } = isolate(async (which) => {
    loads.push(which);
    await scheduler.wait(30);
  });
  registry.active = "a";
  expect(await Promise.all(Array.from({ length: 5 }, hash))).toEqual(["a", "a", "a", "a", "a"]);
  expect(loads).toEqual(["a"]);
});

test("a new model replaces the old one after a minute; one that cannot be loaded does not", async () => {
  const { registry, replaced, hash } = isolate(async (which) => {
    if (which === "broken") throw new Error("damaged");
  });
  await expect(hash()).rejects.toMatchObject({ name: "NoModel", message: "no classifier yet" });
  registry.active = "a";
  await expect(hash()).rejects.toMatchObject({ name: "NoModel" });
  now += 61_000;
  expect(await hash()).toBe("a");
  registry.active = "b";
  expect(await hash()).toBe("a");
  now += 61_000;
  expect(await hash()).toBe("b");
  registry.active = "broken";
  now += 61_000;
  expect(await hash()).toBe("b");
  expect(replaced).toEqual([null, null, "a", null]);
});
