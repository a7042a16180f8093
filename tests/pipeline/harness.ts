/** Starts real Workers in workerd, each with its own wrangler.toml: all seven, or only some of them and fixtures. */
import { join } from "node:path";
import { inject } from "vitest";
import { createTestHarness, type TestHarnessOptions } from "wrangler";
import { configPath, WORKERS } from "../../scripts/local/workers.ts";

export const OPERATOR_TOKEN = "token-for-tests";

type Overrides = Pick<Extract<TestHarnessOptions["workers"][number], { configPath: unknown }>, "vars" | "secrets">;

/** The path of a fixture's wrangler.toml. `file` names another file in the fixture's folder. */
export const fixture = (name: string, file = "wrangler.toml"): string => join(import.meta.dirname, "fixtures", name, file);

/** A harness of the Workers with these wrangler.toml files. The first Worker answers `server.fetch`. */
export function harnessOf(configs: readonly string[], overrides: Readonly<Record<string, Overrides>> = {}) {
  const bundles = inject("bundles");
  const workers = configs.map((path) => {
    const bundle = bundles[path];
    return { configPath: path, ...(bundle === undefined ? {} : { prebuiltWorkerDir: bundle }), ...overrides[path] };
  });
  return createTestHarness({ workers });
}

/** A harness of the Workers with these names. */
export const harness = (...names: readonly string[]) => harnessOf(names.map(configPath));

/**
 * A harness of all seven Workers, the gateway first, with OPERATOR_TOKEN as its secret. `further` are the wrangler.toml files of
 * more Workers.
 */
export const harnessOfAll = (further: readonly string[] = [], overrides: Readonly<Record<string, Overrides>> = {}) =>
  harnessOf([...WORKERS.toReversed().map(({ name }) => configPath(name)), ...further], {
    [configPath("gateway")]: { secrets: { OPERATOR_TOKEN } },
    ...overrides,
  });
