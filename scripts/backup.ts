/**
 * `npm run backup -- [--env staging] [--prefix NAME] [--to FOLDER] [--url ADDRESS]`: copies a deployment's objects, votes and
 * list of models to a folder. Objects never change, so a second backup into the same folder copies only new objects. Needs
 * OPERATOR_TOKEN. Runs, crawls and crawl delays live in Durable Objects, which have no export, so unfinished runs are not in a
 * backup.
 */
import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { modelSchema } from "../shared/contracts/models.ts";
import { readOptions, webAddress } from "./cli/options.ts";
import {
  appliedMigrations,
  bucketPath,
  dataTables,
  dumpPath,
  manifestPath,
  objectPath,
  withoutPrefix,
  type Backup,
} from "./cloudflare/backup-folder.ts";
import { prefixOf, readDeployment, writeConfig } from "./cloudflare/deployment.ts";
import { login } from "./cloudflare/login.ts";
import { getObject, listObjects } from "./cloudflare/objects.ts";
import { addressOf } from "./cloudflare/preflight.ts";
import { survey } from "./cloudflare/survey.ts";
import { runWrangler } from "./cloudflare/wrangler.ts";
import { Client } from "./local/client.ts";
import { ROOT } from "./local/workers.ts";

const USAGE = "npm run backup -- [--env NAME] [--prefix NAME] [--to FOLDER] [--url ADDRESS]";
const OPTIONS = { env: { type: "string" }, prefix: { type: "string" }, to: { type: "string" }, url: { type: "string" } } as const;
const { prefix, to, url } = readOptions(USAGE, OPTIONS, (values) => ({
  prefix: prefixOf(values.prefix, values.env),
  to: values.to,
  url: webAddress("url", values.url),
}));

try {
  const { api, env } = await login();
  const deployment = readDeployment(prefix);
  const found = await survey(api, deployment);
  const missing = deployment.resources.buckets.filter((name) => !found.buckets.has(name));
  if (missing.length > 0) throw new Error(`expected a deployment named ${prefix}, found no bucket ${missing.join(", ")}`);
  const token = process.env["OPERATOR_TOKEN"] ?? "";
  if (token === "") throw new Error("expected the operator's token in OPERATOR_TOKEN, but the variable is not set");
  const client = new Client(url ?? (await addressOf(api, deployment)), token);
  const models = await client.call("GET", "/models", z.array(modelSchema));

  const folder = to ?? join(ROOT, ".tiffin", "backup", prefix);
  rmSync(manifestPath(folder), { force: true });
  for (const name of found.buckets) {
    const bucket = withoutPrefix(prefix, name);
    mkdirSync(bucketPath(folder, bucket), { recursive: true });
    let [copied, kept] = [0, 0];
    for await (const { key, size } of listObjects(api, name)) {
      const path = objectPath(folder, bucket, key);
      if (existsSync(path) && statSync(path).size === size) {
        kept++;
        continue;
      }
      mkdirSync(dirname(path), { recursive: true });
      // The file gets its final name only when it is complete.
      writeFileSync(`${path}.part`, await getObject(api, name, key));
      renameSync(`${path}.part`, path);
      copied++;
    }
    console.log(`${bucket}: copied ${copied} objects, ${kept} were there`);
  }
  const migrations: Backup["migrations"] = {};
  for (const [name, id] of found.databases) {
    const database = withoutPrefix(prefix, name);
    migrations[database] = await appliedMigrations(api, id);
    const tables = (await dataTables(api, id)).flatMap((table) => ["--table", table]);
    const worker = deployment.workers.find(({ config }) => config.d1_databases?.some(({ database_name: each }) => each === name))!;
    const config = writeConfig(worker, found.databases);
    await runWrangler(
      ["d1", "export", name, "--remote", "--no-schema", ...tables, "--output", dumpPath(folder, database), "-y", "-c", config],
      env,
    );
    console.log(`${database}: ${tables.length / 2} tables`);
  }
  const backup: Backup = { format: 1, prefix, at: new Date().toISOString(), migrations, models };
  writeFileSync(manifestPath(folder), JSON.stringify(backup, null, 2));
  console.log(`${models.length} models; the backup is in ${folder}`);
} catch (error) {
  console.error(`backup: ${(error as Error).message}`);
  process.exitCode = 1;
}
