/**
 * Finds the Workers and resources of a deployment that an account already has, and their owners. A Worker is Tiffin's if one
 * of its versions has Tiffin's tag, which every upload sets (upload.ts). A Workflow or a queue's consumer is Tiffin's if its
 * Worker is. Buckets and databases have no owner: those with the deployment's names are used.
 */
import { z } from "zod";
import type { CloudflareApi } from "./api.ts";
import type { Deployment } from "./deployment.ts";

/** Every version that Tiffin uploads has a tag with this beginning. */
export const TAG = "tiffin-";

const versionSchema = z.object({
  id: z.string(),
  metadata: z.object({ created_on: z.string() }),
  annotations: z.record(z.string(), z.string()).optional(),
});

/** A version of a Worker. `tag` is empty if Tiffin did not upload the version. */
export interface Version {
  id: string;
  createdAt: string;
  tag: string;
}

const queueSchema = z.object({
  queue_id: z.string(),
  queue_name: z.string(),
  consumers: z.array(z.object({ consumer_id: z.string(), script: z.string().optional(), script_name: z.string().optional() })).default([]),
});

export interface Queue {
  id: string;
  consumers: readonly { id: string; worker: string }[];
}

export interface Survey {
  /** Versions of each existing Worker with a name of the deployment, newest first. */
  workers: ReadonlyMap<string, readonly Version[]>;
  /** Existing Workflows with a name of the deployment, each with its Worker. */
  workflows: ReadonlyMap<string, string>;
  queues: ReadonlyMap<string, Queue>;
  /** Existing databases: name -> id. */
  databases: ReadonlyMap<string, string>;
  buckets: ReadonlySet<string>;
}

export async function versionsOf(api: CloudflareApi, worker: string): Promise<Version[]> {
  const { items } = await api.call(
    "GET",
    `/workers/scripts/${worker}/versions?deployable=true`,
    z.object({ items: z.array(versionSchema) }),
  );
  return items
    .map(({ id, metadata, annotations }) => ({ id, createdAt: metadata.created_on, tag: annotations?.["workers/tag"] ?? "" }))
    .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
}

export async function survey(api: CloudflareApi, { workers, resources }: Deployment): Promise<Survey> {
  const scripts = await api.call("GET", "/workers/scripts", z.array(z.object({ id: z.string() })));
  const present = workers.filter(({ name }) => scripts.some(({ id }) => id === name));
  const versions = await Promise.all(present.map(async ({ name }) => [name, await versionsOf(api, name)] as const));
  const workflows = await Promise.all(
    [...resources.workflows.keys()].map(async (name) => {
      const found = await api.find(`/workflows/${name}`, z.object({ script_name: z.string() }));
      return found === null ? [] : ([[name, found.script_name]] as const);
    }),
  );
  const queues = await Promise.all(
    resources.queues.map(async (name) => {
      const found = await api.call("GET", `/queues?name=${name}`, z.array(queueSchema));
      return found
        .filter((queue) => queue.queue_name === name)
        .map(({ queue_id: id, consumers }) => {
          const known = consumers.map((consumer) => ({ id: consumer.consumer_id, worker: consumer.script ?? consumer.script_name ?? "" }));
          return [name, { id, consumers: known }] as const;
        });
    }),
  );
  const databases = await Promise.all(
    resources.databases.map(async (name) => {
      const found = await api.call("GET", `/d1/database?name=${name}`, z.array(z.object({ uuid: z.string(), name: z.string() })));
      return found.filter((database) => database.name === name).map(({ uuid }) => [name, uuid] as const);
    }),
  );
  const buckets = await Promise.all(
    resources.buckets.map(async (name) => ((await api.find(`/r2/buckets/${name}`, z.unknown())) === null ? [] : [name])),
  );
  return {
    workers: new Map(versions),
    workflows: new Map(workflows.flat()),
    queues: new Map(queues.flat()),
    databases: new Map(databases.flat()),
    buckets: new Set(buckets.flat()),
  };
}

/** True if an existing Worker is Tiffin's. */
export const isOwn = ({ workers }: Survey, name: string): boolean => (workers.get(name) ?? []).some(({ tag }) => tag.startsWith(TAG));
