/**
 * `npm run deploy`: creates the buckets and queues, deploys the seven Workers (callees first) and applies the D1 migrations.
 * `npm run deploy -- --dry-run` touches nothing and prints each bundle's size. Needs `wrangler login` and, once and before,
 * `wrangler secret put OPERATOR_TOKEN -c wrangler.toml`: the gateway is refused without its secret.
 */
import { readOptions } from "./cli/options.ts";
import { runProcess } from "./local/processes.ts";
import { WORKERS } from "./local/workers.ts";

const BUCKETS = ["tiffin-corpus", "tiffin-artifacts"];
const QUEUES = ["tiffin-crawl", "tiffin-steps"];
/** The house limit for one bundle; the platform's own is 3 MB on the free plan (developers.cloudflare.com/workers/platform/limits/#worker-size). */
const MAX_GZIP_KIB = 1024;
// npm takes a `--dry-run` without the `--` before it for its own, and says so in the environment alone.
const asked = { type: "boolean", default: process.env["npm_config_dry_run"] === "true" } as const;
const dryRun = readOptions("npm run deploy -- [--dry-run]", { "dry-run": asked }, (values) => values["dry-run"]);

function wrangler(args: readonly string[], tolerate?: RegExp): string {
  const { status, output } = runProcess("wrangler", args);
  if (status !== 0 && !(tolerate?.test(output) ?? false)) {
    throw new Error(`expected "wrangler ${args.join(" ")}" to exit with 0, got ${status}\n${output}`);
  }
  return output;
}

try {
  if (!dryRun) {
    for (const bucket of BUCKETS) wrangler(["r2", "bucket", "create", bucket], /already exists|already own/i);
    for (const queue of QUEUES) wrangler(["queues", "create", queue], /already (exists|taken)/i);
  }
  for (const { name, config } of WORKERS) {
    const output = wrangler(["deploy", "-c", config, ...(dryRun ? ["--dry-run"] : [])]);
    const gzip = /gzip:\s*([\d.]+)\s*KiB/.exec(output)?.[1];
    if (gzip === undefined) throw new Error(`${name}: expected wrangler to state a gzip size, got\n${output}`);
    // The one that has an address is the gateway.
    const address = /https:\/\/\S+\.workers\.dev/.exec(output)?.[0] ?? "";
    console.log(`${name.padEnd(12)} ${gzip.padStart(8)} KiB gzip${dryRun ? "" : `  deployed ${address}`}`);
    if (Number(gzip) > MAX_GZIP_KIB) throw new Error(`${name}: expected a bundle of at most ${MAX_GZIP_KIB} KiB gzip, got ${gzip}`);
    if (name === "feedback" && !dryRun) wrangler(["d1", "migrations", "apply", "tiffin-feedback", "--remote", "-c", config]);
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
