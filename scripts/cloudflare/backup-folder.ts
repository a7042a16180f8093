/**
 * The folder of a backup: `backup.json`, `objects/<bucket>/<key>` and `<database>.sql`. The names of buckets and databases
 * lack the deployment's prefix, so a backup of production can be restored into staging. backup.json is written last. A folder
 * without backup.json is unfinished; the next backup into it continues.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { z } from "zod";
import { modelSchema } from "../../shared/contracts/models.ts";
import type { CloudflareApi } from "./api.ts";

export const backupSchema = z.object({
  format: z.literal(1),
  prefix: z.string(),
  at: z.string(),
  /** The applied migrations of each database. A dump fits a database with the same migrations. */
  migrations: z.record(z.string(), z.array(z.string())),
  models: z.array(modelSchema),
});
export type Backup = z.output<typeof backupSchema>;

export const manifestPath = (folder: string): string => join(folder, "backup.json");
export const dumpPath = (folder: string, database: string): string => join(folder, `${database}.sql`);
export const bucketPath = (folder: string, bucket: string): string => join(folder, "objects", bucket);

/** The file of an object. Throws if the key leads out of the folder. */
export function objectPath(folder: string, bucket: string, key: string): string {
  const root = bucketPath(folder, bucket);
  const path = resolve(root, key);
  if (relative(root, path).startsWith("..") || path === resolve(root))
    throw new Error(`${bucket}: expected a key below the folder, got ${key}`);
  return path;
}

export function readBackup(folder: string): Backup {
  if (!existsSync(manifestPath(folder))) throw new Error(`--from: expected a finished backup in ${folder}, found no backup.json`);
  return backupSchema.parse(JSON.parse(readFileSync(manifestPath(folder), "utf8")));
}

/** A name, without the deployment's prefix. */
export const withoutPrefix = (prefix: string, name: string): string => name.slice(prefix.length + 1);

/** Rows of a query on a D1 database. */
export async function query<T extends z.ZodType>(api: CloudflareApi, id: string, sql: string, row: T): Promise<z.infer<T>[]> {
  const [answer] = await api.call("POST", `/d1/database/${id}/query`, z.array(z.object({ results: z.array(row) })), { sql });
  return answer?.results ?? [];
}

const named = z.object({ name: z.string() });

export const appliedMigrations = async (api: CloudflareApi, id: string): Promise<string[]> =>
  (await query(api, id, "SELECT name FROM d1_migrations ORDER BY id", named)).map(({ name }) => name);

/** The tables with Tiffin's data. The tables of SQLite and D1 and the list of migrations are left out. */
export async function dataTables(api: CloudflareApi, id: string): Promise<string[]> {
  const tables = await query(api, id, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", named);
  return tables.map(({ name }) => name).filter((name) => !/^(sqlite_|_cf_|d1_migrations$)/.test(name));
}
