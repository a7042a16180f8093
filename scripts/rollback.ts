/**
 * `npm run rollback -- [--env staging] [--prefix NAME] [--old-secrets]`: returns every Worker of the last deploy to its previous
 * version, callers before callees. Data stays, because migrations only add and each version can read the formats that it has
 * written. A version has its own secrets, so a rollback brings back older values of secrets that have changed since.
 */
import { z } from "zod";
import { readOptions } from "./cli/options.ts";
import { ApiError, type CloudflareApi } from "./cloudflare/api.ts";
import { prefixOf, readDeployment } from "./cloudflare/deployment.ts";
import { login } from "./cloudflare/login.ts";
import { survey, TAG, type Version } from "./cloudflare/survey.ts";

const OPTIONS = { env: { type: "string" }, prefix: { type: "string" }, "old-secrets": { type: "boolean", default: false } } as const;
const USAGE = "npm run rollback -- [--env NAME] [--prefix NAME] [--old-secrets]";
const { prefix, takesOldSecrets } = readOptions(USAGE, OPTIONS, (values) => ({
  prefix: prefixOf(values.prefix, values.env),
  takesOldSecrets: values["old-secrets"],
}));

/** The API's code for a version with other secrets than the live one's; the query `force=true` deploys it nevertheless. Source: wrangler's `rollback`. */
const SECRETS_HAVE_CHANGED = 10_220;

const deploymentsSchema = z.object({ deployments: z.array(z.object({ versions: z.array(z.object({ version_id: z.string() })) })) });

/**
 * The deployed code of the version that serves most requests, which is the first version of the newest deployment. `wrangler
 * secret put` makes a version without a tag, whose code is that of the tagged version before it.
 */
async function liveVersion(api: CloudflareApi, worker: string, versions: readonly Version[]): Promise<Version | undefined> {
  const { deployments } = await api.call("GET", `/workers/scripts/${worker}/deployments`, deploymentsSchema);
  const id = deployments[0]?.versions[0]?.version_id;
  const live = versions.find((version) => version.id === id);
  return live === undefined ? undefined : versions.find(({ createdAt, tag }) => createdAt <= live.createdAt && tag.startsWith(TAG));
}

/** Makes a version the only one that serves. Throws if its secrets are not the live ones, unless the operator has accepted that. */
async function deployVersion(api: CloudflareApi, worker: string, { id, tag }: Version): Promise<void> {
  const path = `/workers/scripts/${worker}/deployments`;
  const body = {
    strategy: "percentage",
    versions: [{ version_id: id, percentage: 100 }],
    annotations: { "workers/message": "rollback" },
  };
  try {
    await api.send("POST", path, body);
  } catch (error) {
    if (!(error instanceof ApiError && error.codes.includes(SECRETS_HAVE_CHANGED))) throw error;
    const repair = `npx wrangler secret put NAME --name ${worker}`;
    if (!takesOldSecrets)
      throw new Error(
        `${worker}: expected the same secrets as in ${tag}, but they have changed since (${error.message}). A rollback brings their older values back. Repeat with --old-secrets, then store the newer values with \`${repair}\`.`,
        { cause: error },
      );
    await api.send("POST", `${path}?force=true`, body);
    console.log(`${worker} has the secrets of ${tag} again: store newer values with \`${repair}\``);
  }
}

try {
  const { api } = await login();
  const deployment = readDeployment(prefix);
  const found = await survey(api, deployment);
  const live = new Map<string, Version>();
  for (const [name, versions] of found.workers) {
    const version = await liveVersion(api, name, versions);
    if (version !== undefined) live.set(name, version);
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
    await deployVersion(api, name, before);
    console.log(`${name} is back at ${before.tag}`);
  }
} catch (error) {
  console.error(`rollback: ${(error as Error).message}`);
  process.exitCode = 1;
}
