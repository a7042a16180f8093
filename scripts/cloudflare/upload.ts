/**
 * Creates a deployment's resources, applies the database migrations, then uploads the Workers. Callees come before callers,
 * and independent Workers are uploaded at the same time. Every step can be repeated: after a failure the next deploy takes the
 * same steps again.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { CloudflareApi } from "./api.ts";
import { writeConfig, type DeployedWorker, type Deployment } from "./deployment.ts";
import type { Login } from "./login.ts";
import { TAG, type Survey } from "./survey.ts";
import { runWrangler } from "./wrangler.ts";

/**
 * Tiffin's own limit for one bundle. The platform's limit is 10 MB
 * (developers.cloudflare.com/workers/platform/limits/#worker-size).
 */
const MAX_GZIP_KIB = 1024;

const AFTER_FAILURE = "Some Workers may be new, others not. Repeat `npm run deploy`, or go back with `npm run rollback`.";

type Print = (line: string) => void;

/** Creates the missing resources. Returns the ids of all databases by name. */
export async function createResources(
  api: CloudflareApi,
  { resources }: Deployment,
  found: Survey,
  print: Print,
): Promise<Map<string, string>> {
  for (const name of resources.buckets.filter((bucket) => !found.buckets.has(bucket))) {
    await api.send("POST", "/r2/buckets", { name });
    print(`created the bucket ${name}`);
  }
  for (const name of resources.queues.filter((queue) => !found.queues.has(queue))) {
    await api.send("POST", "/queues", { queue_name: name });
    print(`created the queue ${name}`);
  }
  const databases = new Map(found.databases);
  for (const name of resources.databases.filter((database) => !databases.has(database))) {
    const { uuid } = await api.call("POST", "/d1/database", z.object({ uuid: z.string() }), { name });
    databases.set(name, uuid);
    print(`created the database ${name}`);
  }
  return databases;
}

/** Applies migrations before their code is uploaded. For a while, the old code runs on the new schema, so migrations only add. */
export async function migrate({ workers }: Deployment, databases: ReadonlyMap<string, string>, env: Login["env"]): Promise<void> {
  for (const worker of workers) {
    for (const { database_name: name } of worker.config.d1_databases ?? [])
      if (name !== undefined) await runWrangler(["d1", "migrations", "apply", name, "--remote", "-c", writeConfig(worker, databases)], env);
  }
}

/** Groups of Workers for simultaneous upload. Each Worker needs only Workers of earlier groups. */
export function groupsOf(workers: readonly DeployedWorker[]): DeployedWorker[][] {
  const groups: DeployedWorker[][] = [];
  const done = new Set<string>();
  while (done.size < workers.length) {
    const group = workers.filter(({ worker, needs }) => !done.has(worker) && needs.every((name) => done.has(name)));
    if (group.length === 0) throw new Error(`expected Workers without circular bindings, got a circle outside ${[...done].join(", ")}`);
    for (const { worker } of group) done.add(worker);
    groups.push(group);
  }
  return groups;
}

/** Writes a file with the secrets that the Worker requires, the environment has, and the account lacks. Null if there are none. */
async function secretsFile(api: CloudflareApi, { name, config }: DeployedWorker, folder: string): Promise<string | null> {
  const required = config.secrets?.required ?? [];
  if (required.length === 0) return null;
  const stored = (await api.find(`/workers/scripts/${name}/secrets`, z.array(z.object({ name: z.string() })))) ?? [];
  // A stored secret is never replaced. Voters are hashed with the operator's token, so after a change every voter would count
  // as new.
  const missing = required.filter((secret) => !stored.some((each) => each.name === secret));
  if (missing.length === 0) return null;
  const path = join(folder, "secrets.json");
  writeFileSync(path, JSON.stringify(Object.fromEntries(missing.map((secret) => [secret, process.env[secret]]))), { mode: 0o600 });
  return path;
}

/** Prints a bundle's size and all warnings of wrangler. Throws if the bundle is too large. */
function report({ worker }: DeployedWorker, { stdout, warnings }: { stdout: string; warnings: readonly string[] }, print: Print): void {
  const gzip = /gzip:\s*([\d.]+)\s*KiB/.exec(stdout)?.[1];
  if (gzip === undefined) throw new Error(`${worker}: expected wrangler to print a gzip size, got\n${stdout}`);
  print(`${worker.padEnd(12)} ${gzip.padStart(8)} KiB gzip`);
  for (const line of warnings) print(`  ${line}`);
  if (Number(gzip) > MAX_GZIP_KIB) throw new Error(`${worker}: expected a bundle of at most ${MAX_GZIP_KIB} KiB gzip, got ${gzip}`);
}

/** Bundles all Workers and prints their sizes. Uploads nothing. */
export async function dryRun({ workers }: Deployment, print: Print): Promise<void> {
  for (const group of groupsOf(workers)) {
    const outputs = await Promise.all(group.map((each) => runWrangler(["deploy", "--dry-run", "-c", writeConfig(each, new Map())])));
    for (const [index, output] of outputs.entries()) report(group[index]!, output, print);
  }
}

/** Uploads all Workers. All versions of one deploy have the same tag; `npm run rollback` uses it to find the previous versions. */
export async function upload(
  deployment: Deployment,
  databases: ReadonlyMap<string, string>,
  { api, env }: Login,
  print: Print,
): Promise<void> {
  // The platform allows tags of 25 bytes.
  const tag = `${TAG}${Date.now().toString(36)}`;
  const folder = mkdtempSync(join(tmpdir(), "tiffin-"));
  try {
    for (const group of groupsOf(deployment.workers)) {
      const results = await Promise.allSettled(
        group.map(async (worker) => {
          const secrets = await secretsFile(api, worker, folder);
          const config = writeConfig(worker, databases);
          return runWrangler(["deploy", "-c", config, "--tag", tag, ...(secrets === null ? [] : ["--secrets-file", secrets])], env);
        }),
      );
      // This runs after every Worker of the group has ended, so nothing is still uploading. The error names the first failure.
      for (const [index, result] of results.entries()) {
        if (result.status === "rejected")
          throw new Error(`${group[index]!.worker}: ${(result.reason as Error).message}\n${AFTER_FAILURE}`, { cause: result.reason });
        report(group[index]!, result.value, print);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
