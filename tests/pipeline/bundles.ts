/**
 * Bundles the Workers once for all files of a test run, as `wrangler deploy` does, because bundling the seven Workers takes more
 * CPU time than starting them. If a run has few files, nothing is bundled here: the harness then bundles only the Workers that
 * these files need.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { runWrangler } from "../../scripts/cloudflare/wrangler.ts";
import { configPath, ROOT, WORKERS } from "../../scripts/local/workers.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The folder of a Worker's bundle, by the path of its wrangler.toml. */
    bundles: Record<string, string>;
  }
}

/** With at least this many files, bundling once saves time. */
const FEW_FILES = 5;
const FIXTURES = ["collector", "second-trainer"];

export default async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), "tiffin-bundles-"));
  const files = project.vitest.state.getPaths().filter((path) => path.startsWith(import.meta.dirname));
  const configs =
    files.length < FEW_FILES
      ? []
      : [
          ...WORKERS.map(({ name }) => configPath(name)),
          ...FIXTURES.map((name) => join(ROOT, "tests/pipeline/fixtures", name, "wrangler.toml")),
        ];
  const bundles = await Promise.all(
    configs.map(async (config, index) => {
      const bundle = join(folder, String(index));
      await runWrangler(["deploy", "--dry-run", "--config", config, "--outdir", bundle]);
      return [config, bundle] as const;
    }),
  );
  project.provide("bundles", Object.fromEntries(bundles));
  return () => rmSync(folder, { recursive: true });
}
