/**
 * A deployment of Tiffin: the seven Workers and their resources, whose names share one prefix. The wrangler.toml files
 * describe the deployment `tiffin`. Another prefix gives a second, separate Tiffin in the same account. In these files every
 * string that begins with `tiffin` is a name and gets the prefix, so a new binding needs no change here.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse } from "smol-toml";
// Only the type is imported, because loading wrangler takes a second.
import type { Unstable_RawConfig as RawConfig } from "wrangler";
import { configPath, ROOT, WORKERS } from "../local/workers.ts";

/** The prefix in the wrangler.toml files. */
const PREFIX = "tiffin";
/**
 * Bucket names allow lower-case letters, digits and hyphens. The longest name, a Worker's, must not exceed the subdomain's
 * limit of 63 characters.
 */
const PREFIX_PATTERN = /^[a-z][a-z0-9-]{0,39}$/;

export interface DeployedWorker {
  /** The Worker's short name: gateway, collector, ... */
  worker: string;
  /** The Worker's name in the account. */
  name: string;
  config: RawConfig;
  /** Short names of the Workers that this Worker binds. They must be deployed first. */
  needs: readonly string[];
}

export interface Resources {
  buckets: readonly string[];
  queues: readonly string[];
  databases: readonly string[];
  /** Names of Workflows, each with the name of its Worker. */
  workflows: ReadonlyMap<string, string>;
}

export interface Deployment {
  prefix: string;
  /** In the order of deployment: callees before callers. */
  workers: readonly DeployedWorker[];
  resources: Resources;
}

/** The prefix of an environment. Production adds nothing to it. */
export function prefixOf(prefix: string | undefined, environment: string | undefined): string {
  const whole = [prefix ?? PREFIX, ...(environment === undefined || environment === "production" ? [] : [environment])].join("-");
  if (PREFIX_PATTERN.test(whole)) return whole;
  throw new Error(`--prefix, --env: expected lower-case letters, digits and hyphens, at most 40, got ${whole}`);
}

/** The name of a Worker or a resource in a deployment. Roles: `gateway`, `artifacts`, `feedback`. */
export const roleName = ({ prefix }: { prefix: string }, role: string): string => `${prefix}-${role}`;

/** A copy of a value in which every name has the new prefix. */
function renamed(value: unknown, prefix: string): unknown {
  if (typeof value === "string") return new RegExp(`^${PREFIX}(?=$|[-_])`).test(value) ? prefix + value.slice(PREFIX.length) : value;
  if (Array.isArray(value)) return value.map((each) => renamed(each, prefix));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, renamed(each, prefix)]));
}

/** An id of rate limits. Limits with equal ids in one account share their counters, so each prefix needs its own ids. */
const namespaceOf = (prefix: string, binding: string): string =>
  String(1 + Number.parseInt(createHash("sha256").update(`${prefix} ${binding}`).digest("hex").slice(0, 7), 16));

/** A Worker's configuration for an upload from any folder: prefixed names, absolute paths, minified. */
function configOf(worker: string, prefix: string): RawConfig {
  const path = configPath(worker);
  const absolute = (file: string) => resolve(dirname(path), file);
  // A copy, so the changes below affect only this deployment.
  const config = renamed(parse(readFileSync(path, "utf8")), prefix) as RawConfig;
  delete config.dev;
  config.minify = true;
  if (config.main !== undefined) config.main = absolute(config.main);
  if (config.assets?.directory !== undefined) config.assets.directory = absolute(config.assets.directory);
  for (const database of config.d1_databases ?? []) {
    if (database.migrations_dir !== undefined) database.migrations_dir = absolute(database.migrations_dir);
  }
  for (const limit of config.ratelimits ?? []) limit.namespace_id = namespaceOf(prefix, limit.name);
  return config;
}

/** Names of all Workers that a configuration binds: as a service, a Durable Object or a Workflow. */
function boundWorkers(config: RawConfig): (string | undefined)[] {
  return [
    ...(config.services ?? []).map(({ service }) => service),
    ...(config.durable_objects?.bindings ?? []).map(({ script_name: script }) => script),
    ...(config.workflows ?? []).map(({ script_name: script }) => script),
  ];
}

const unique = (values: readonly (string | undefined)[]): string[] => [...new Set(values.filter((value) => value !== undefined))];

export function readDeployment(prefix: string): Deployment {
  const configs = WORKERS.map(({ name: worker }) => ({ worker, config: configOf(worker, prefix) }));
  const shortNames = new Map(configs.map(({ worker, config }) => [config.name, worker]));
  const workers = configs.map(({ worker, config }) => ({
    worker,
    name: config.name ?? worker,
    config,
    needs: unique(boundWorkers(config).map((name) => (name === config.name ? undefined : shortNames.get(name)))),
  }));
  const all = configs.map(({ config }) => config);
  const consumers = all.flatMap(({ queues }) => queues?.consumers ?? []);
  const workflows = workers.flatMap(({ name, config }) =>
    (config.workflows ?? [])
      .filter(({ script_name: script }) => script === undefined || script === name)
      .map((each) => [each.name, name] as const),
  );
  return {
    prefix,
    workers,
    resources: {
      buckets: unique(all.flatMap((config) => (config.r2_buckets ?? []).map(({ bucket_name: name }) => name))),
      queues: unique([
        ...all.flatMap(({ queues }) => (queues?.producers ?? []).map(({ queue }) => queue)),
        ...consumers.flatMap(({ queue, dead_letter_queue: dead }) => [queue, dead]),
      ]),
      databases: unique(all.flatMap((config) => (config.d1_databases ?? []).map(({ database_name: name }) => name))),
      workflows: new Map(workflows),
    },
  };
}

/** Each process has its own folder for wrangler's configurations, so two commands at once do not read each other's files. */
const CONFIGS = join(ROOT, ".tiffin", "deploy", String(process.pid));
process.once("exit", () => rmSync(CONFIGS, { recursive: true, force: true }));

/** Writes a Worker's configuration, with the ids of its databases, to a file for wrangler. Returns the path. */
export function writeConfig({ worker, config }: DeployedWorker, databases: ReadonlyMap<string, string>): string {
  mkdirSync(CONFIGS, { recursive: true });
  const path = join(CONFIGS, `${worker}.json`);
  const withIds = config.d1_databases?.map((database) => {
    const id = databases.get(database.database_name ?? "");
    return id === undefined ? database : { ...database, database_id: id };
  });
  writeFileSync(path, JSON.stringify(withIds === undefined ? config : { ...config, d1_databases: withIds }, null, 2));
  return path;
}
