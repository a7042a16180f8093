/**
 * `npm run rollback -- [--env staging] [--prefix NAME]`: returns every Worker of the last deploy to its previous version,
 * callers before callees. Data stays, because migrations only add and each version can read the formats that it has written.
 */
import { z } from "zod";
import { readOptions } from "./cli/options.ts";
import type { CloudflareApi } from "./cloudflare/api.ts";
import { prefixOf, readDeployment } from "./cloudflare/deployment.ts";
import { login } from "./cloudflare/login.ts";
import { survey, TAG, type Version } from "./cloudflare/survey.ts";

const OPTIONS = { env: { type: "string" }, prefix: { type: "string" } } as const;
const prefix = readOptions("npm run rollback -- [--env NAME] [--prefix NAME]", OPTIONS, (values) => prefixOf(values.prefix, values.env));

const deploymentsSchema = z.object({ deployments: z.array(z.object({ versions: z.array(z.object({ version_id: z.string() })) })) });

/** The version that serves most requests: the first version of the newest deployment. */
async function liveVersion(api: CloudflareApi, worker: string, versions: readonly Version[]): Promise<Version | undefined> {
  const { deployments } = await api.call("GET", `/workers/scripts/${worker}/deployments`, deploymentsSchema);
  const id = deployments[0]?.versions[0]?.version_id;
  return versions.find((version) => version.id === id);
}

try {
  const { api } = await login();
  const deployment = readDeployment(prefix);
  const found = await survey(api, deployment);
  const live = new Map<string, Version>();
  for (const [name, versions] of found.workers) {
    const version = await liveVersion(api, name, versions);
    if (version?.tag.startsWith(TAG)) live.set(name, version);
  }
  const newest = [...live.values()].toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))[0];
  if (newest === undefined) throw new Error(`expected a deployment named ${prefix}, found none. Choose it with --env or --prefix.`);
  // If the last deploy failed in the middle, the other Workers still run their previous version.
  const deployed = deployment.workers.filter(({ name }) => live.get(name)?.tag === newest.tag).toReversed();
  const steps = deployed.map(({ name }) => {
    const { createdAt } = live.get(name)!;
    return { name, before: found.workers.get(name)!.find((version) => version.createdAt < createdAt && version.tag.startsWith(TAG)) };
  });
  if (steps.every(({ before }) => before === undefined))
    throw new Error(`expected a version before ${newest.tag}, found none: it is the first deploy`);
  for (const { name, before } of steps) {
    if (before === undefined) {
      console.log(`${name} stays: it has no version before ${newest.tag}`);
      continue;
    }
    const body = {
      strategy: "percentage",
      versions: [{ version_id: before.id, percentage: 100 }],
      annotations: { "workers/message": "rollback" },
    };
    await api.send("POST", `/workers/scripts/${name}/deployments`, body);
    console.log(`${name} is back at ${before.tag}`);
  }
} catch (error) {
  console.error(`rollback: ${(error as Error).message}`);
  process.exitCode = 1;
}
