/**
 * `npm run restore -- --from FOLDER [--env staging] [--prefix NAME] [--url ADDRESS]`: restores a backup into a deployment
 * without votes: objects, votes, published models and the active model. After a failure it can be repeated. It needs
 * OPERATOR_TOKEN and a deployment whose database has the backup's migrations.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "zod";
import { readOptions, webAddress } from "./cli/options.ts";
import { appliedMigrations, bucketPath, dataTables, dumpPath, query, readBackup, withoutPrefix } from "./cloudflare/backup-folder.ts";
import { prefixOf, readDeployment, writeConfig } from "./cloudflare/deployment.ts";
import { login } from "./cloudflare/login.ts";
import { listObjects, putObject } from "./cloudflare/objects.ts";
import { addressOf } from "./cloudflare/preflight.ts";
import { survey } from "./cloudflare/survey.ts";
import { runWrangler } from "./cloudflare/wrangler.ts";
import { Client } from "./local/client.ts";

const USAGE = "npm run restore -- --from FOLDER [--env NAME] [--prefix NAME] [--url ADDRESS]";
const OPTIONS = { env: { type: "string" }, prefix: { type: "string" }, from: { type: "string" }, url: { type: "string" } } as const;
const { prefix, folder, url } = readOptions(USAGE, OPTIONS, (values) => {
  if (values.from === undefined) throw new Error("--from: expected the folder of a backup, got nothing");
  return { prefix: prefixOf(values.prefix, values.env), folder: values.from, url: webAddress("url", values.url) };
});

try {
  const backup = readBackup(folder);
  const { api, env } = await login();
  const deployment = readDeployment(prefix);
  const found = await survey(api, deployment);
  const token = process.env["OPERATOR_TOKEN"] ?? "";
  if (token === "") throw new Error("expected the operator's token in OPERATOR_TOKEN, but the variable is not set");
  const databases = [...found.databases].map(([name, id]) => ({ name, id, database: withoutPrefix(prefix, name) }));
  if (databases.length === 0) throw new Error(`expected a deployment named ${prefix}, found none: run \`npm run deploy\` first`);
  // All databases are checked before anything is written.
  for (const { id, database } of databases) {
    const [applied, wanted] = [await appliedMigrations(api, id), backup.migrations[database] ?? []];
    if (applied.join() !== wanted.join())
      throw new Error(
        `${database}: expected the migrations ${wanted.join(", ")}, got ${applied.join(", ")}. Deploy the version that made the backup first.`,
      );
    for (const table of await dataTables(api, id)) {
      const [row] = await query(api, id, `SELECT count(*) AS rows FROM "${table}"`, z.object({ rows: z.number() }));
      if ((row?.rows ?? 0) > 0)
        throw new Error(`${database}: expected an empty table ${table}, got ${row?.rows} rows. Restore into a new deployment.`);
    }
  }
  for (const name of found.buckets) {
    const bucket = withoutPrefix(prefix, name);
    const root = bucketPath(folder, bucket);
    const stored = new Map<string, number>();
    for await (const { key, size } of listObjects(api, name)) stored.set(key, size);
    let [copied, kept] = [0, 0];
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || path.endsWith(".part")) continue;
      const key = relative(root, path);
      if (stored.get(key) === statSync(path).size) {
        kept++;
        continue;
      }
      await putObject(api, name, key, new Uint8Array(readFileSync(path)));
      copied++;
    }
    console.log(`${bucket}: copied ${copied} objects, ${kept} were there`);
  }
  const client = new Client(url ?? (await addressOf(api, deployment)), token);
  // Publishing a model also activates it, so the active model is published last.
  const models = backup.models.toSorted((a, b) => Number(a.active) - Number(b.active) || a.publishedAt.localeCompare(b.publishedAt));
  for (const { model, tokenizer, run, valLoss } of models) await client.send("POST", "/models", { model, tokenizer, run, valLoss });
  console.log(`published ${models.length} models`);
  // Votes come last: rows in these tables show that the backup was restored.
  for (const { name, database } of databases) {
    const worker = deployment.workers.find(({ config }) => config.d1_databases?.some(({ database_name: each }) => each === name))!;
    const config = writeConfig(worker, found.databases);
    await runWrangler(["d1", "execute", name, "--remote", "--file", dumpPath(folder, database), "-y", "-c", config], env);
    console.log(`${database}: restored`);
  }
} catch (error) {
  console.error(`restore: ${(error as Error).message}`);
  process.exitCode = 1;
}
