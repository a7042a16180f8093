/** Real Workers in workerd, each of which has its wrangler.toml: the seven behind the gateway, or some of them and fixtures. */
import { join } from "node:path";
import { inject } from "vitest";
import { createTestHarness, type TestHarnessOptions } from "wrangler";
import { configPath, WORKERS } from "../../scripts/local/workers.ts";

export const OPERATOR_TOKEN = "token-for-tests";

type Overrides = Pick<Extract<TestHarnessOptions["workers"][number], { configPath: unknown }>, "vars" | "secrets">;

/** The wrangler.toml of a fixture, which is in a folder of its own unless `file` names another. */
export const fixture = (name: string, file = "wrangler.toml"): string => join(import.meta.dirname, "fixtures", name, file);

/** Workers by the paths of their wrangler.toml. The first answers `server.fetch`. */
export function harnessOf(configs: readonly string[], overrides: Readonly<Record<string, Overrides>> = {}) {
  const bundles = inject("bundles");
  const workers = configs.map((path) => {
    const bundle = bundles[path];
    return { configPath: path, ...(bundle === undefined ? {} : { prebuiltWorkerDir: bundle }), ...overrides[path] };
  });
  return createTestHarness({ workers });
}

/** Workers by their names. */
export const harness = (...names: readonly string[]) => harnessOf(names.map(configPath));

/** All seven, with the gateway in front and OPERATOR_TOKEN as its secret, and further Workers by the paths of their wrangler.toml. */
export const harnessOfAll = (further: readonly string[] = [], overrides: Readonly<Record<string, Overrides>> = {}) =>
  harnessOf([...WORKERS.toReversed().map(({ name }) => configPath(name)), ...further], {
    [configPath("gateway")]: { secrets: { OPERATOR_TOKEN } },
    ...overrides,
  });
