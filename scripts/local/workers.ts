/**
 * The seven Workers in the order of deployment: callees before callers. The gateway's configuration is the wrangler.toml at
 * the root; every other Worker's configuration is in the Worker's folder.
 */
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

export interface WorkerEntry {
  name: string;
  /** The path of wrangler.toml, relative to the root. */
  config: string;
  /** The Workers that this Worker calls. Their classes are the types of its bindings. */
  callees: readonly string[];
}

export const WORKERS: readonly WorkerEntry[] = [
  { name: "collector", config: "workers/collector/wrangler.toml", callees: [] },
  { name: "tokenizer", config: "workers/tokenizer/wrangler.toml", callees: [] },
  { name: "coordinator", config: "workers/coordinator/wrangler.toml", callees: ["collector", "tokenizer"] },
  { name: "trainer", config: "workers/trainer/wrangler.toml", callees: ["coordinator"] },
  { name: "feedback", config: "workers/feedback/wrangler.toml", callees: ["tokenizer", "coordinator", "trainer"] },
  { name: "generator", config: "workers/generator/wrangler.toml", callees: ["coordinator", "feedback"] },
  {
    name: "gateway",
    config: "wrangler.toml",
    callees: ["collector", "tokenizer", "coordinator", "trainer", "generator", "feedback"],
  },
];

/** The absolute path of a Worker's wrangler.toml. Throws if the name is not in the table. */
export function configPath(name: string): string {
  const entry = WORKERS.find((worker) => worker.name === name);
  if (entry === undefined) throw new Error(`expected one of ${WORKERS.map((worker) => worker.name).join(", ")}, got ${name}`);
  return join(ROOT, entry.config);
}
